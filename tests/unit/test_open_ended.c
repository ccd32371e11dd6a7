// Programs whose arguments decide what they do: the table, and the spellings of names.
#include "program/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_open_ended(const char *const names[], size_t count, bool expected)
{
	for (size_t i = 0; i < count; i++) {
		char path[300];
		snprintf(path, sizeof(path), "/usr/bin/%s", names[i]);
		if (program_is_open_ended(path) != expected)
			print_message("%s\n", names[i]);
		assert_int_equal(program_is_open_ended(path), expected);
		assert_int_equal(program_is_open_ended(names[i]), expected);
	}
}

// The list of the issue and of the threat model.
static void test_named(void **state)
{
	(void)state;
	static const char *const names[] = {
		"sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "busybox", "toybox", "python", "perl",
		"ruby",
		"node", "nodejs", "deno", "bun", "php", "lua", "luajit", "awk", "gawk", "mawk", "tclsh", "guile", "ghc",
		"runghc", "java", "jshell", "julia", "R", "Rscript", "erl", "elixir", "iex", "ocaml", "groovy", "scala",
		"env", "xargs", "find", "parallel", "nice", "nohup", "timeout", "time", "stdbuf", "setsid", "setpriv",
		"chroot", "unshare", "nsenter", "sudo", "doas", "su", "runuser", "pkexec", "watch", "script", "expect",
		"make", "gmake", "cmake", "ninja", "meson", "npm", "npx", "pnpm", "yarn", "bunx", "pip", "pipx", "uv",
		"uvx",
		"poetry", "cargo", "go", "gradle", "mvn", "rake", "bundle", "gem", "git", "hg", "svn", "curl", "wget",
		"nc",
		"ncat", "socat", "ssh", "scp", "sftp", "rsync", "tar", "zip", "unzip", "cpio", "dd", "cp", "mv",
		"install",
		"tee", "cat", "less", "more", "vi", "vim", "nvim", "nano", "ed", "ex", "emacs", "sed", "docker",
		"podman",
		"kubectl", "nerdctl", "systemd-run", "systemctl", "crontab", "at", "ld.so", "gdb", "lldb", "strace",
		"ltrace", "perf", "valgrind", "tmux", "screen", "psql", "mysql", "sqlite3", "jq", "printenv", "sort",
	};
	assert_open_ended(names, ARRAY_COUNT(names), true);
}

static void test_spellings(void **state)
{
	(void)state;
	static const char *const names[] = {
		"python3", "python3.11", "python3.11-dbg", "python3.13t", "python2.7", "pip3", "pip3.11", "lua5.4",
		"luajit-2.1.0-beta3", "node18", "ruby3.1", "php8.2", "php8.2-cli", "perl5.36.0",
		"perl5.36-x86_64-linux-gnu", "gcc-12", "x86_64-linux-gnu-gcc-12", "aarch64-linux-musl-gcc", "clang-14",
		"clang++-14", "guile-3.0", "tclsh8.6", "vim.basic", "vim.tiny", "nc.openbsd", "nc.traditional", "bash5",
		"bash-static", "ld-linux-x86-64.so.2", "ld-linux.so.2", "ld-2.31.so", "ld64.so.2",
		"ld-musl-x86_64.so.1",
		"qemu-x86_64", "qemu-aarch64-static", "npm-cli.js", "yarn.js", "7z",
	};
	assert_open_ended(names, ARRAY_COUNT(names), true);
}

static void test_others(void **state)
{
	(void)state;
	static const char *const names[] = {
		"", "1", "3.11", "-", ".", "ls", "date", "true", "deploy", "deploy.sh", "install.sh", "make-report",
		"gitlint",
		"git-stats", "python3-report.py", "shell", "s", "shs", "basher", "bashful-12", "finder", "environment",
		"ldap-login", "lds.socket", "timer", "PYTHON", "Env", "psqlx", "linux-gnu", "-linux-gnu",
		"a-linux-gnu-",
		"x-linux-gnu-deploy-2",
	};
	assert_open_ended(names, ARRAY_COUNT(names), false);
	assert_false(program_is_open_ended("/usr/bin/python3/"));
	assert_false(program_is_open_ended("/opt/python3/report"));
}

// bsearch finds nothing in a table that is not sorted: its ends and what lies about them.
static void test_table_is_sorted(void **state)
{
	(void)state;
	static const char *const names[] = {"7z", "R", "Rscript", "aa-exec", "c++", "g++", "gcc", "zstd", "zypper",
			"zx"};
	assert_open_ended(names, ARRAY_COUNT(names), true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_table_is_sorted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
