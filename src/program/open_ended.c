#include "program/program_internal.h"

#include <stdlib.h>
#include <string.h>

// Sorted (bsearch). A program is here when its arguments alone can make it
//  - run other code: interpreters, launchers, build tools, package managers, debuggers, editors with a shell escape,
//    database clients with one, multi-call programs;
//  - send what it holds somewhere else, or write it to a file that they name: network clients, copies, archives (a
//    program's own environment is a file, /proc/self/environ);
//  - print that file cut up or transformed, so that redaction no longer knows it: cut, od, tr, jq, printenv.
// Not here: programs whose arguments only say what of their own to do (ls, date, kill, df).
static const char *const names[] = {
	"7z", "7za", "7zr", "R", "Rscript", "aa-exec", "ack", "ag", "ansible", "ansible-playbook", "apk", "apt",
	"apt-get", "ar", "aria2c", "asdf", "ash", "at", "autossh", "awk", "aws", "az", "babel-node", "base32",
	"base64", "basenc", "bash", "bat", "batcat", "batch", "bazel", "bc", "bpftrace", "brew", "bsdtar", "buildah",
	"bun", "bundle", "bundler", "bunx", "busybox", "bwrap", "bzip2", "c++", "cargo", "cat", "cc", "celery",
	"chroot", "chrt", "clang", "clang++", "clisp", "cmake", "composer", "corepack", "coreutils", "cp", "cpio",
	"cpp", "crictl", "crontab", "crun", "csh", "ctr", "curl", "cut", "dash", "dbus-launch", "dbus-run-session",
	"dc", "dd", "deno", "diff", "direnv", "distrobox", "dlv", "dnf", "doas", "docker", "docker-compose", "doctl",
	"dotenv", "dotnet", "dpkg", "dpkg-deb", "ed", "egrep", "elinks", "elixir", "elvish", "emacs", "emacsclient",
	"entr", "env", "envsubst", "erl", "esbuild", "escript", "ex", "expand", "expect", "fakeroot", "faketime",
	"fd", "fdfind", "fgrep", "find", "firejail", "fish", "flatpak", "flock", "fnm", "fold", "ftp", "g++", "gawk",
	"gcc", "gcloud", "gcore", "gdb", "gem", "gh", "ghc", "ghci", "git", "gmake", "gnuplot", "go", "gradle",
	"gradlew", "grep", "groovy", "grunt", "gsutil", "gtar", "guile", "guix", "gulp", "gunicorn", "gzip", "hd",
	"head", "heaptrack", "helix", "helm", "hexdump", "hg", "http", "https", "hx", "hyperfine", "iex", "install",
	"ionice", "ipython", "irb", "java", "jdb", "jest", "jjs", "joe", "journalctl", "jq", "jrunscript", "jshell",
	"julia", "jupyter", "just", "kotlin", "kotlinc", "ksh", "ksh93", "kubectl", "ld", "ld.bfd", "ld.gold",
	"ld.lld", "ld.so", "ldd", "lein", "lerna", "less", "lftp", "links", "lldb", "ltrace", "lua", "luajit", "lxc",
	"lynx", "m4", "mail", "mailx", "make", "man", "mariadb", "mawk", "meson", "micro", "minikube", "mise",
	"mksh", "mocha", "mongo", "mongosh", "more", "mosh", "mosquitto_pub", "most", "mount", "msmtp", "multipass",
	"mutt", "mv", "mvn", "mvnw", "mysql", "mysqldump", "nano", "nawk", "nc", "ncat", "nerdctl", "netcat", "nice",
	"ninja", "nix", "nix-shell", "nl", "nmap", "node", "nodejs", "nodemon", "nohup", "npm", "npm-cli.js", "npx",
	"npx-cli.js", "nsenter", "nu", "numactl", "nvim", "nx", "oc", "ocaml", "ocamlrun", "octave", "od", "openssl",
	"original-awk", "osqueryi", "packer", "pacman", "parallel", "paste", "patch", "pdksh", "perf", "perl", "pg",
	"pg_dump", "pg_dumpall", "pg_wrapper", "php", "php-cgi", "php-fpm", "pico", "pip", "pipx", "pkexec", "plink",
	"pnpm", "pnpm.cjs", "pnpx", "pnpx.cjs", "podman", "poetry", "pr", "printenv", "prlimit", "proot",
	"proxychains", "psftp", "psql", "pwsh", "pyenv", "pypy", "pytest", "python", "qemu", "racket", "rake",
	"rbash", "rbenv", "rclone", "redis-cli", "restic", "rev", "rg", "rksh", "rlwrap", "rollup", "rpm", "rr",
	"rsh", "rsync", "ruby", "run-parts", "runc", "runcon", "runghc", "runhaskell", "runsv", "runuser", "rustc",
	"rustup", "rvim", "sbcl", "sbt", "scala", "scp", "screen", "script", "sed", "sendmail", "service", "setarch",
	"setpriv", "setsid", "setuidgid", "sftp", "sg", "sh", "shuf", "skopeo", "smbclient", "snap", "socat",
	"softlimit", "sort", "split", "sqlite3", "ssh", "ssh-agent", "ssh-keygen", "sshfs", "sshpass",
	"start-stop-daemon", "stdbuf", "strace", "strings", "su", "sudo", "sudoedit", "supervisord", "svn", "swipl",
	"systemctl", "systemd-inhibit", "systemd-nspawn", "systemd-run", "tac", "tail", "tar", "taskset", "tclsh",
	"tcsh", "tee", "telnet", "terraform", "tftp", "time", "timeout", "tmux", "tofu", "toybox", "tr", "ts-node",
	"tsc", "tsx", "turbo", "uftrace", "unexpand", "uniq", "unshare", "unzip", "uudecode", "uuencode", "uv",
	"uvx", "uwsgi", "vagrant", "valgrind", "vi", "view", "vim", "vimdiff", "virsh", "vite", "vitest", "volta",
	"w3m", "wasmer", "wasmtime", "watch", "watchexec", "webpack", "wget", "wine", "wish", "xargs", "xvfb-run",
	"xxd", "xz", "yarn", "yarn.js", "yarnpkg", "yq", "yum", "zgrep", "zip", "zsh", "zstd", "zx", "zypper",
};

// What distributions and builds add to a name ("vim.basic", "nc.openbsd", "python3-dbg", "php8.2-cli").
static const char *const flavours[] = {
	"-cli", "-common", "-dbg", "-embedded", "-musl", "-nox", "-static", ".athena", ".basic", ".distrib", ".gtk",
	".gtk3", ".js", ".nox", ".openbsd", ".real", ".tiny", ".traditional",
};

static int name_compare(const void *key, const void *entry)
{
	const struct span *name = key;
	const char *const *text = entry;
	size_t len = strlen(*text);
	int r = memcmp(name->data, *text, name->len < len ? name->len : len);
	return r != 0 ? r : (name->len > len) - (name->len < len);
}

static const char *listed(struct span name)
{
	const char *const *found = bsearch(&name, names, ARRAY_COUNT(names), sizeof(names[0]), name_compare);
	return found ? *found : NULL;
}

// The dynamic loader runs any program it is given: ld-linux-x86-64.so.2, ld-2.31.so, ld64.so.2, ld-musl-x86_64.so.1.
// And an emulator of a processor: qemu-x86_64, qemu-aarch64-static.
static bool is_family(struct span name)
{
	bool is_loader = span_has_prefix(name, SPAN_LITERAL("ld")) && memmem(name.data, name.len, ".so", 3) &&
			 name.len > 2 && (name.data[2] == '-' || name.data[2] == '.' || byte_is_digit(name.data[2]));
	return is_loader || span_has_prefix(name, SPAN_LITERAL("qemu-"));
}

// "x86_64-linux-gnu-gcc-12" is gcc-12; "perl5.36-x86_64-linux-gnu" is perl5.36.
static struct span triple_drop(struct span name)
{
	static const char *const systems[] = {"-linux-gnu", "-linux-musl"};
	for (size_t i = 0; i < ARRAY_COUNT(systems); i++) {
		size_t len = strlen(systems[i]);
		const uint8_t *at = name.len > 0 ? memmem(name.data, name.len, systems[i], len) : NULL;
		if (!at)
			continue;
		const uint8_t *behind = memchr(at + len, '-', name.len - (size_t)(at + len - name.data));
		if (behind)
			return span_of(behind + 1, name.len - (size_t)(behind + 1 - name.data));
		const uint8_t *before = memrchr(name.data, '-', (size_t)(at - name.data));
		return before ? span_of(name.data, (size_t)(before - name.data)) : name;
	}
	return name;
}

static struct span flavour_drop(struct span name)
{
	for (size_t i = 0; i < ARRAY_COUNT(flavours); i++) {
		struct span flavour = span_text(flavours[i]);
		if (name.len > flavour.len &&
		    span_is_equal(span_of(name.data + name.len - flavour.len, flavour.len), flavour))
			return span_of(name.data, name.len - flavour.len);
	}
	return name;
}

// Digits, points and what stands before a build's letters: "python3.11", "python3.13t", "gcc-12", "luajit-2.1.0-beta3".
static struct span version_drop(struct span name)
{
	size_t len = name.len;
	while (len > 1 && (byte_is_digit(name.data[len - 1]) || name.data[len - 1] == '.'))
		len--;
	bool has_letter = len == name.len && len > 1 && byte_is_digit(name.data[len - 2]) &&
			  strchr("dmtu", name.data[len - 1]);
	if (has_letter)
		return span_of(name.data, len - 1);
	struct span rest = span_of(name.data, len);
	static const char *const words[] = {"-alpha", "-beta", "-rc", "-"};
	for (size_t i = 0; len < name.len && i < ARRAY_COUNT(words); i++) {
		struct span word = span_text(words[i]);
		if (rest.len > word.len && span_is_equal(span_of(rest.data + rest.len - word.len, word.len), word))
			return span_of(rest.data, rest.len - word.len);
	}
	return rest;
}

const char *open_ended_entry(const char *path)
{
	struct span name = triple_drop(span_text(path_base(path)));
	for (size_t before = 0; name.len > 0 && name.len != before;) {
		const char *entry = listed(name);
		if (entry)
			return entry;
		before = name.len;
		name = flavour_drop(name);
		if (name.len == before)
			name = version_drop(name);
	}
	return NULL;
}

bool program_is_open_ended(const char *path)
{
	return is_family(span_text(path_base(path))) || open_ended_entry(path);
}

bool program_has_open_ended(const struct program *program)
{
	return program_is_open_ended(program->path) || (program->name && program_is_open_ended(program->name));
}
