//! A third of CPython's own test files passes on the patched interpreter: those about the types
//! that have `tp_traverse_change`. The whole suite is `cargo xtask test --cpython-suite`.

mod common;

use anyhow::{Context, Result, ensure};
use common::{command, python};

const FILES: &str = "
    test__interpchannels test__locale test_abc test_array test_ast test_asyncgen
    test_asyncio.test_base_events test_asyncio.test_buffered_proto test_asyncio.test_context
    test_asyncio.test_eager_task_factory test_asyncio.test_events test_asyncio.test_futures
    test_asyncio.test_futures2 test_asyncio.test_locks test_asyncio.test_pep492
    test_asyncio.test_proactor_events test_asyncio.test_protocols test_asyncio.test_queues
    test_asyncio.test_runners test_asyncio.test_selector_events test_asyncio.test_sendfile
    test_asyncio.test_server test_asyncio.test_sock_lowlevel test_asyncio.test_ssl
    test_asyncio.test_sslproto test_asyncio.test_staggered test_asyncio.test_streams
    test_asyncio.test_subprocess test_asyncio.test_taskgroups test_asyncio.test_tasks
    test_asyncio.test_threads test_asyncio.test_timeouts test_asyncio.test_transports
    test_asyncio.test_unix_events test_asyncio.test_waitfor test_atexit test_baseexception
    test_binascii test_bisect test_bool test_buffer test_bufio test_builtin test_bytes
    test_bz2 test_call test_capi test_class test_codecencodings_jp test_codecs
    test_collections test_compare test_complex test_contains test_context test_contextlib
    test_contextlib_async test_copy test_copyreg test_coroutines test_csv test_ctypes
    test_dataclasses test_dbm test_dbm_sqlite3 test_decimal test_decorators test_defaultdict
    test_deque test_descr test_descrtut test_dict test_dictcomps test_dictviews
    test_dynamicclassattribute test_enum test_enumerate test_epoll test_except_star
    test_exception_group test_exceptions test_extcall test_fileio test_finalization
    test_float test_fractions test_frame test_fstring test_funcattrs test_functools test_gc
    test_genericalias test_genericclass test_genexps test_grammar test_hash test_heapq
    test_hmac test_importlib test_index test_inspect test_int test_io test_isinstance
    test_iter test_iterlen test_itertools test_json test_keywordonlyarg test_list
    test_listcomps test_locale test_lzma test_marshal test_memoryio test_memoryview
    test_metaclass test_mmap test_module test_monitoring test_multibytecodec
    test_named_expressions test_numeric_tower test_opcache test_operator test_ordered_dict
    test_patma test_pickle test_picklebuffer test_pickletools test_positional_only_arg
    test_profile test_property test_pyexpat test_queue test_raise test_random test_range
    test_re test_reprlib test_richcmp test_scope test_select test_set test_setcomps
    test_slice test_sort test_sqlite3 test_str test_string test_struct test_structseq
    test_subclassinit test_super test_symtable test_syntax test_sys test_sys_setprofile
    test_sys_settrace test_thread test_threading_local test_time test_traceback
    test_tracemalloc test_tuple test_type_aliases test_type_annotations test_type_cache
    test_type_params test_typechecks test_types test_typing test_ucn test_unary
    test_unicodedata test_unpack test_unpack_ex test_userdict test_userlist test_warnings
    test_weakref test_weakset test_with test_xml_etree test_xml_etree_c test_yield_from
    test_zlib test_zoneinfo
";

#[test]
fn cpythons_own_tests_pass() -> Result<()> {
    let python = python("release")?;
    let files: Vec<_> = FILES.split_whitespace().collect();
    // Where the tests leave their files.
    let dir = tempfile::tempdir()?;
    // Tests of signals want those of a terminal, also where this runs in the background.
    let out = command("env")
        .arg("--default-signal")
        .arg(&python)
        // Two at a time; a file that hangs says where and ends.
        .args(["-m", "test", "-j2", "--timeout", "1200"])
        // The environment is changed by a file after which the two traversals differ.
        .arg("--fail-env-changed")
        // A second try for what depends on time, on a machine that is busy with other tests.
        .args(["--rerun", "--tempdir"])
        .arg(dir.path())
        .args(&files)
        .current_dir(dir.path())
        .output()
        .with_context(|| format!("cannot run {}", python.display()))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{text}{errors}");
    let summary = format!("Total test files: run={0}/{0}", files.len());
    ensure!(text.contains(&summary), "not `{summary}`:\n{text}{errors}");
    // Those that ran are all of them: none is skipped as a whole, denied or without tests.
    ensure!(
        text.contains(&format!("All {} tests OK.", files.len()))
            || text.contains("Result: FAILURE then SUCCESS"),
        "{text}{errors}"
    );
    let closing = text.find("== Tests result").unwrap_or_default();
    println!("{}", &text[closing..]);
    Ok(())
}
