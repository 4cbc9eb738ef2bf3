//! What `build-python` installs is a normal Python: environments, packages, headers, embedding.

mod common;

use std::fs;

use anyhow::{Result, ensure};
use common::{command, flavour, prefix, python, run, venv};

#[test]
fn a_virtual_environment_has_pip() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let python = venv(&flavour(), dir.path())?;
    let version = run(command(&python).args(["-m", "pip", "--version"]))?;
    ensure!(version.contains("(python 3.13)"), "{version}");
    let base = run(command(&python).args(["-c", "import sys; print(sys.base_prefix)"]))?;
    assert_eq!(base.trim(), prefix(&flavour()).to_string_lossy());
    Ok(())
}

#[test]
fn the_version_is_the_pinned_one() -> Result<()> {
    let pin = fs::read_to_string(common::root().join("cpython.toml"))?;
    let version = run(command(python(&flavour())?).args([
        "-c",
        "import platform; print(platform.python_version(), platform.python_build()[0])",
    ]))?;
    let (number, branch) = version.trim().split_once(' ').expect("two words");
    ensure!(
        pin.contains(&format!("version = \"{number}\"")),
        "{version}"
    );
    // Not the branch of the repository that the source happens to be built from.
    assert_eq!(branch, "main");
    Ok(())
}

/// `python3-config --embed` gives what it takes to compile, link and run a program that embeds.
#[test]
fn a_program_can_embed_it() -> Result<()> {
    python(&flavour())?;
    let dir = tempfile::tempdir()?;
    let source = dir.path().join("embed.c");
    fs::write(
        &source,
        r#"
        #include <Python.h>
        int main(void) {
            Py_Initialize();
            int failed = PyRun_SimpleString("import gc, sys; print('embedded', sys.version_info[:2])");
            return Py_FinalizeEx() < 0 || failed;
        }
        "#,
    )?;
    let config = prefix(&flavour()).join("bin/python3-config");
    let flags = |option: &str| run(command(&config).args([option, "--embed"]));
    let program = dir.path().join("embed");
    run(command("cc")
        .arg(&source)
        .args(flags("--cflags")?.split_whitespace())
        .arg("-o")
        .arg(&program)
        .args(flags("--ldflags")?.split_whitespace())
        // The link flags of a sanitized interpreter do not name the sanitizer.
        .args((flavour() == "asan").then_some("-fsanitize=address")))?;
    let out = run(command(&program).env("PYTHONHOME", prefix(&flavour())))?;
    assert_eq!(out.trim(), "embedded (3, 13)");
    Ok(())
}

/// An extension module compiles with the flags that sysconfig names, and loads.
#[test]
fn an_extension_module_compiles_and_loads() -> Result<()> {
    let python = python(&flavour())?;
    let dir = tempfile::tempdir()?;
    fs::write(
        dir.path().join("spam.c"),
        r#"
        #include <Python.h>
        static PyObject *answer(PyObject *self, PyObject *ignored) { return PyLong_FromLong(42); }
        static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL}};
        static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "spam", NULL, 0, methods};
        PyMODINIT_FUNC PyInit_spam(void) { return PyModuleDef_Init(&module); }
        "#,
    )?;
    let words = run(command(&python).args([
        "-c",
        "from sysconfig import get_config_var as v, get_path\n\
         print(v('CC'), v('CFLAGS'), v('CCSHARED'), '-I' + get_path('include'), '-shared', 'spam.c', \
               '-o', 'spam' + v('EXT_SUFFIX'))",
    ]))?;
    let mut words = words.split_whitespace();
    run(command(words.next().expect("a compiler"))
        .args(words)
        .current_dir(dir.path()))?;
    let out = run(command(&python)
        .args(["-c", "import spam; print(spam.answer())"])
        .current_dir(dir.path()))?;
    assert_eq!(out.trim(), "42");
    Ok(())
}

/// A binary wheel that was compiled for an unpatched CPython 3.13 loads and computes.
#[test]
fn a_binary_wheel_of_numpy_works() -> Result<()> {
    let dir = tempfile::tempdir()?;
    // Wheels are for the release ABI; the debug build's loader has another suffix to look for.
    let python = venv("release", dir.path())?;
    run(command(&python).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "numpy",
    ]))?;
    let out = run(command(&python).args([
        "-c",
        "import gc, numpy as np\n\
         core = np._core._multiarray_umath.__file__\n\
         assert 'cpython-313-' in core, core\n\
         a = np.arange(12.0).reshape(3, 4)\n\
         assert np.allclose(a @ a.T, [[14, 38, 62], [38, 126, 214], [62, 214, 366]])\n\
         q, r = np.linalg.qr(np.random.default_rng(1).normal(size=(50, 50)))\n\
         assert np.allclose(q @ q.T, np.eye(50))\n\
         assert abs(np.fft.ifft(np.fft.fft(a[0])) - a[0]).max() < 1e-12\n\
         objects = np.array([object(), [], {}], dtype=object)\n\
         gc.collect()\n\
         print(a.sum(), objects.shape)",
    ]))?;
    assert_eq!(out.trim(), "66.0 (3,)");
    Ok(())
}
