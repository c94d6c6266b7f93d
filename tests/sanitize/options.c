/*
 * How the sanitizers report, linked into every program of a sanitized build.
 * Not by environment: jwksd starts jwksd-http with a clean one.  Reports go
 * to files, where the test runner finds them whatever became of the process.
 * (UBSan of gcc writes to standard error all the same: harness.py looks there.)
 */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "exitcode=99:detect_leaks=1:detect_stack_use_after_return=1:"
	       "verify_asan_link_order=0:" /* clock_shim.so comes first */
	       "log_exe_name=1:log_path=" REPORTS "/asan";
}

const char *
__ubsan_default_options(void)
{
	return "halt_on_error=1:print_stacktrace=1:exitcode=99:"
	       "log_exe_name=1:log_path=" REPORTS "/ubsan";
}
