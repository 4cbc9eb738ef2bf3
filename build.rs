//! Bindings to the *patched* headers of CPython, as seen by the tree that the engine is linked into.
//!
//! `cargo xtask build-python` names the trees in the environment; without it (`cargo clippy`,
//! rust-analyzer) those of the release flavour are used.

use std::env;
use std::path::{Path, PathBuf};

fn tree(variable: &str, default: &str) -> PathBuf {
    println!("cargo::rerun-if-env-changed={variable}");
    env::var_os(variable).map_or_else(
        || Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join(default),
        PathBuf::from,
    )
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let source = tree("GC_REMAP_CPYTHON_SRC", "build/src");
    let build = tree("GC_REMAP_CPYTHON_BUILD", "build/release/tree");
    let config = build.join("pyconfig.h");
    let include = source.join("Include");
    for needed in [&config, &include.join("internal/pycore_remap.h")] {
        assert!(
            needed.exists(),
            "{} is missing: run `cargo xtask build-python` first",
            needed.display()
        );
        println!("cargo::rerun-if-changed={}", needed.display());
    }
    for header in [
        "object.h",
        "cpython/object.h",
        "cpython/traversechange.h",
        "internal/pycore_gc.h",
        "internal/pycore_weakref.h",
    ] {
        println!("cargo::rerun-if-changed={}", include.join(header).display());
    }

    // The build tree comes first: its pyconfig.h is the one that counts.
    let includes = [
        build,
        include.clone(),
        include.join("internal"),
        include.join("internal/mimalloc"),
    ];
    let bindings = bindgen::Builder::default()
        .header_contents(
            "engine.h",
            "#include \"Python.h\"\n#include \"pycore_remap.h\"\n#include \"pycore_typeobject.h\"\n",
        )
        .clang_arg("-std=c11")
        .clang_arg("-DPy_BUILD_CORE")
        .clang_args(includes.iter().map(|path| format!("-I{}", path.display())))
        .allowlist_function(
            "_PyRemap_.*|_PyDict_VisitStringKeys|_PyDict_MakeGeneral|_PyDict_ChangeManagedDict",
        )
        .allowlist_function("_PyWeakref_(VisitList|IsFixed|Referent|SwapHash)")
        .allowlist_function("_PyWeakref_(Detach|Attach|Reattach)")
        .allowlist_function("_PyDict_DetachInlineValues|_PyObject_DetachInlineValues")
        .allowlist_function("_PySet_IteratedSet|_PySet_InvalidateIterator")
        .allowlist_function(
            "_PyObject_CheckChangeType|_PyType_(CheckBases|SaveBases|SetBases|RestoreBases)",
        )
        .allowlist_function("_PyType_(NamespaceChanged|NamespaceChangeRunsCode|VisitStaticTables|SetFlags|HasOwnMro|SetBasesRunsCode)")
        .allowlist_function("_PyChangeContext_Swap|PyObject_(ChangeRef|ChangeField|ChangeType)")
        .allowlist_function("PyObject_CheckChangeField|PyObject_HasAttrStringWithError")
        .allowlist_function(
            "Py_IncRef|Py_DecRef|PyErr_(SetString|NoMemory|Occurred|GetRaisedException)|PyException_SetContext",
        )
        .allowlist_function("PyErr_(SetRaisedException|WriteUnraisable|Clear|ExceptionMatches)|_PyFunctools_LinkedDict|PyType_ClearCache|_PyODict_VisitNodes")
        .allowlist_function(
            "PyMapping_(Check|Items)|PyObject_GetIter|PyIter_Next|PySequence_(Fast|Tuple)",
        )
        .allowlist_function("PyDict_(New|Next|SetItemString)|PyList_(New|Append|Size|GetItem)")
        .allowlist_function("PyTuple_(New|SetItem|GetItem|Size)|PyLong_From(Ssize_t|Size_t)")
        .allowlist_function(
            "PyUnicode_CompareWithASCIIString|PyObject_IsTrue|PyMem_Raw(Malloc|Realloc|Free)|PyUnicode_FromFormat|PyStructSequence_(New|SetItem)|PyObject_GC_IsTracked",
        )
        .allowlist_type("PyObject|PyTypeObject|PyGC_Head|PyChangeField|_PyChangeContext")
        .allowlist_type("repairproc|changeproc|visitproc|visitchangeproc|PyRepairStep|PyChangeVerdict")
        .allowlist_var("_PyRemap_layout|PyExc_(TypeError|ValueError|RuntimeError|SystemError|Exception|MemoryError)")
        .allowlist_var("Py(List|Set|FrozenSet|Tuple|Dict|DictProxy|SetIter|Property|Unicode|ContextVar)_Type")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .layout_tests(true)
        .derive_debug(false)
        .wrap_unsafe_ops(true)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .generate()
        .expect("bindgen must understand the patched headers");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo")).join("bindings.rs");
    bindings.write_to_file(out).expect("OUT_DIR is writable");
}
