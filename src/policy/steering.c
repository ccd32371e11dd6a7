#include "policy/steering.h"

#include <string.h>

// Variables that load code into a program, choose what it executes, or redirect whom it trusts or talks to. One list: a
// name with '*' at its end is a family. Sources: glibc's unsecvars.h, sudo's environment table, the manuals of the
// tools named.
static const char *const steering[] = {
	// the C library and its loader
	"ARGP_HELP_FMT", "DATEMSK", "GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "GMON_OUT_PREFIX",
	"HESIOD_CONFIG", "HES_DOMAIN", "HOSTALIASES", "LD_*", "LOCALDOMAIN", "LOCPATH", "MALLOC_*", "MEMUSAGE_*",
	"MSGVERB", "NIS_*", "NLSPATH", "PATH_LOCALE", "PCPROFILE_OUTPUT", "POSIXLY_CORRECT", "RESOLV_*",
	"RES_OPTIONS", "SEGFAULT_*", "SEV_LEVEL", "TEMP", "TMP", "TMPDIR", "TZDIR", "_RLD*",
	// shells
	"BASHOPTS", "BASH_*", "CDPATH", "ENV", "FCEDIT", "FPATH", "GLOBIGNORE", "HISTFILE", "IFS", "KSH_ENV",
	"MAILPATH", "NULLCMD", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS3", "PS4", "READNULLCMD", "SHELLOPTS",
	"TMPPREFIX", "ZDOTDIR", "__BASH_FUNC*",
	// terminals and Kerberos
	"INPUTRC", "KRB5_CONFIG*", "KRB5_KTNAME", "LDAPCONF", "LDAPRC", "LDAPTLS_*", "SASL_CONF_PATH",
	"SASL_PATH", "TERMCAP", "TERMINFO", "TERMINFO_DIRS", "TERMPATH",
	// Python, Node.js and their package managers
	"BUN_*", "CONDA_*", "COREPACK_*", "DENO_*", "ELECTRON_RUN_AS_NODE", "NODE_COMPILE_CACHE", "NODE_DEBUG",
	"NODE_DEBUG_NATIVE", "NODE_EXTRA_CA_CERTS", "NODE_ICU_DATA", "NODE_OPTIONS", "NODE_PATH",
	"NODE_PENDING_DEPRECATION", "NODE_REDIRECT_WARNINGS", "NODE_REPL_*", "NODE_TLS_REJECT_UNAUTHORIZED",
	"NODE_V8_COVERAGE", "NPM_CONFIG_*", "PIP_*", "PYENV_*", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHON*",
	"TS_NODE_*", "UV_*", "VIRTUAL_ENV", "VOLTA_*", "YARN_*", "_PYTHON_*", "npm_config_*", "pnpm_config_*",
	// Perl, Ruby, Java, .NET, PHP, Lua, R, Julia, Erlang, Tcl
	"ANT_ARGS", "ANT_OPTS", "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "BUNDLER_*", "BUNDLE_*", "CLASSPATH",
	"COMPOSER_*", "COMPlus_*", "CORECLR_*", "COR_ENABLE_PROFILING", "COR_PROFILER*", "DOTNET_*",
	"ELIXIR_ERL_OPTIONS", "ERL_*", "GEM_*", "GRADLE_OPTS", "GRADLE_USER_HOME", "GUILE_*", "JAVACMD",
	"JAVA_HOME", "JAVA_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "JULIA_*", "LUA_*", "MAVEN_ARGS",
	"MAVEN_OPTS", "MONO_CONFIG", "MONO_ENV_OPTIONS", "MONO_PATH", "PERL*", "PHPRC", "PHP_INI_SCAN_DIR", "RBENV_*",
	"RUBY*", "R_*", "TCLLIBPATH", "TCL_LIBRARY", "TK_LIBRARY", "_JAVA_OPTIONS",
	// Go, Rust, awk
	"AWKLIBPATH", "AWKPATH", "CARGO_*", "CGO_*", "GOAUTH", "GOCACHEPROG", "GODEBUG", "GOENV", "GOFLAGS",
	"GOINSECURE", "GONOSUMDB", "GOPATH", "GOPROXY", "GOROOT", "GOSUMDB", "GOTOOLCHAIN", "GOTOOLDIR", "GOVCS",
	"GOWORK", "RUSTC*", "RUSTDOC*", "RUSTFLAGS", "RUSTUP_*",
	// git and ssh
	"CVS_RSH", "GH_BROWSER", "GH_CONFIG_DIR", "GH_EDITOR", "GH_HOST", "GH_PAGER", "GIT_*", "HGRCPATH",
	"RSYNC_*", "SSH_ASKPASS*", "SSH_AUTH_SOCK", "SSH_SK_*", "SVN_EDITOR", "SVN_SSH",
	// pagers, editors, browsers
	"BROWSER", "EDITOR", "EMACSLOADPATH", "EXINIT", "LESS", "LESSCLOSE", "LESSKEY*", "LESSOPEN", "MANPAGER",
	"PAGER", "RIPGREP_CONFIG_PATH", "SUDO_ASKPASS", "SUDO_EDITOR", "SYSTEMD_EDITOR", "SYSTEMD_PAGER",
	"TAR_OPTIONS", "VIMINIT", "VIMRUNTIME", "VISUAL", "ZIPOPT",
	// whom to trust, and by what way to reach it
	"ALL_PROXY", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "CURL_HOME", "CURL_SSL_BACKEND", "FTP_PROXY", "GNUPGHOME",
	"GNUTLS_*", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "GRPC_PROXY", "HTTPS_PROXY", "HTTP_PROXY",
	"NIX_SSL_CERT_FILE", "NO_PROXY", "OPENSSL_*", "REQUESTS_CA_BUNDLE", "SOCKS_PROXY", "SSLKEYLOGFILE",
	"SSL_CERT_DIR", "SSL_CERT_FILE", "WGETRC", "all_proxy", "ftp_proxy", "grpc_proxy", "http_proxy",
	"https_proxy", "no_proxy", "socks_proxy",
	// compilers, debuggers, builds, sanitizers
	"ASAN_OPTIONS", "CC", "CCACHE_*", "CFLAGS", "CMAKE_*", "COMPILER_PATH", "CONFIG_SITE", "CPATH",
	"CPLUS_INCLUDE_PATH", "CXX", "CXXFLAGS", "C_INCLUDE_PATH", "DEBUGINFOD_*", "GCC_*", "GDBHISTFILE",
	"GNUMAKEFLAGS", "LDFLAGS", "LIBRARY_PATH", "LLVM_PROFILE_FILE", "LSAN_OPTIONS", "MAKEFILES", "MAKEFLAGS",
	"MSAN_OPTIONS", "PKG_CONFIG*", "SCCACHE_*", "TSAN_OPTIONS", "UBSAN_OPTIONS", "VALGRIND_*",
	// the desktop
	"DBUS_*", "DISPLAY", "GIO_*", "GST_*", "GTK_*", "LIBGL_DRIVERS_PATH", "LIBVA_*", "QT_*",
	"VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_LAYER_PATH", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CACHE_HOME",
	"XDG_CONFIG_DIRS", "XDG_CONFIG_HOME", "XDG_DATA_DIRS", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
	// clouds and agents: other configuration, and credentials that are none of this program's business
	"ANSIBLE_*", "ANTHROPIC_*", "AWS_CONFIG_FILE", "AWS_DATA_PATH", "AWS_DEFAULT_PROFILE",
	"AWS_ENDPOINT_URL*", "AWS_PAGER", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AZURE_CONFIG_DIR",
	"CLOUDSDK_API_*", "CLOUDSDK_CONFIG", "CLOUDSDK_PROXY_*", "CLOUDSDK_PYTHON*", "COMPOSE_FILE",
	"CONTAINERS_*", "CONTAINER_HOST", "DOCKER_*", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS",
	"KUBECONFIG", "KUBECTL_*", "KUBE_EDITOR", "OPENAI_*", "OP_CONNECT_*", "OP_SERVICE_ACCOUNT_TOKEN",
	"OP_SESSION_*", "TF_CLI_*", "TF_DATA_DIR", "TF_PLUGIN_*",
	// databases: start-up files and modules of their clients
	"LIBMYSQL_*", "MYSQL_HOME", "ODBCINI", "ODBCINSTINI", "ODBCSYSINI", "PGSERVICEFILE", "PGSYSCONFDIR",
	"PSQLRC", "PSQL_*", "TNS_ADMIN",
	// envseal's own
	"ENVSEAL_*",
};

// Members of those families that steer nothing: everyday settings, and some that make a program more careful, so that
// taking them away would make it less so.
static const char *const harmless[] = {
	"CARGO_TERM_COLOR", "DOCKER_BUILDKIT", "DOTNET_CLI_TELEMETRY_OPTOUT", "DOTNET_NOLOGO", "GIT_AUTHOR_*",
	"GIT_COMMITTER_*", "GIT_TERMINAL_PROMPT", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_INPUT",
	"PIP_REQUIRE_VIRTUALENV", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONHASHSEED",
	"PYTHONIOENCODING", "PYTHONNOUSERSITE", "PYTHONSAFEPATH", "PYTHONUNBUFFERED", "PYTHONUTF8",
};

static bool pattern_matches(const char *pattern, struct span name)
{
	size_t len = strlen(pattern);
	bool family = len > 0 && pattern[len - 1] == '*';
	struct span head = span_of(pattern, family ? len - 1 : len);
	return family ? span_has_prefix(name, head) : span_is_equal(name, head);
}

static bool list_matches(const char *const patterns[], size_t count, struct span name)
{
	for (size_t i = 0; i < count; i++)
		if (pattern_matches(patterns[i], name))
			return true;
	return false;
}

bool variable_is_steering(struct span name)
{
	return list_matches(steering, ARRAY_COUNT(steering), name) &&
	       !list_matches(harmless, ARRAY_COUNT(harmless), name);
}

// Families whose tools also take credentials by variables: what a family's member of such a name holds steers nothing.
// Not all of Cargo's and none of Bundler's: there a part of the name is somebody's choice (CARGO_ALIAS_MY_TOKEN is a
// command).
static const char *const credential_families[] = {
	"ANSIBLE_*", "ANTHROPIC_*", "BUN_*", "CARGO_REGISTRIES_*", "CARGO_REGISTRY_*", "COMPOSER_*", "DENO_*",
	"DOCKER_*", "GEM_*", "GIT_*", "NPM_CONFIG_*", "OPENAI_*", "OP_*", "PIP_*", "RSYNC_*", "UV_*", "YARN_*",
	"npm_config_*",
};
static const char *const credential_endings[] = {
	"_TOKEN", "_TOKENS", "_KEY", "_PASSWORD", "_SECRET", "_AUTH", "_AUTHTOKEN", "_authToken",
};

bool variable_is_credential(struct span name)
{
	if (!list_matches(credential_families, ARRAY_COUNT(credential_families), name))
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(credential_endings); i++) {
		struct span ending = span_text(credential_endings[i]);
		if (name.len > ending.len &&
		    span_is_equal(span_of(name.data + name.len - ending.len, ending.len), ending))
			return true;
	}
	return false;
}

// ------------------------------------------------------------------------------------------------------------- shapes

static bool is_word(struct span value, const char *more, size_t max)
{
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.data[i];
		if (!byte_is_letter(c) && !byte_is_digit(c) && !(c != 0 && strchr(more, c)))
			return false;
	}
	return value.len <= max;
}

// A path here would make the C library or a tool read a file of somebody's choice (CVE-2014-0475 and its like).
static bool locale_is_plain(struct span value)
{
	return is_word(value, "._@-:", 64);
}

static bool terminal_is_plain(struct span value)
{
	return is_word(value, "._+-", 64);
}

static bool zone_is_plain(struct span value)
{
	for (size_t i = 0; i + 1 < value.len; i++)
		if (value.data[i] == '.' && value.data[i + 1] == '.')
			return false;
	return is_word(value, "._+-/,:<>", 64) && (value.len == 0 || (value.data[0] != '/' && value.data[0] != ':'));
}

static const struct {
	const char *pattern;
	bool (*is_plain)(struct span value);
} shapes[] = {
	{"LANG", locale_is_plain},
	{"LANGUAGE", locale_is_plain},
	{"LC_*", locale_is_plain},
	{"LINGUAS", locale_is_plain},
	{"TERM", terminal_is_plain},
	{"COLORTERM", terminal_is_plain},
	{"TZ", zone_is_plain},
};

bool variable_has_plain_shape(struct span name, struct span value)
{
	// How bash once exported functions, in a variable of any name, and ran what stood behind them (CVE-2014-6271).
	if (span_has_prefix(value, SPAN_LITERAL("() {")))
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(shapes); i++)
		if (pattern_matches(shapes[i].pattern, name))
			return shapes[i].is_plain(value);
	return true;
}
