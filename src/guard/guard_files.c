// In whose hands the folders are that programs and the vault come from.
#include "guard/guard_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOUNTS_BYTES_MAX (1u << 20)
#define PATH_BRIEF_BYTES 80

enum path_hands {
	PATH_MISSING, // nothing to find there
	PATH_SYSTEM,
	PATH_OWN,   // any program of this user can put programs there
	PATH_OTHERS // other users can, or it depends on the current folder
};

static enum path_hands path_classify(const struct guard_source *source, struct span entry)
{
	char path[PATH_MAX];
	struct stat st;
	if (entry.len == 0 || entry.data[0] != '/')
		return PATH_OTHERS;
	if (entry.len >= sizeof(path))
		return PATH_MISSING;
	snprintf(path, sizeof(path), "%.*s", (int)entry.len, (const char *)entry.data);
	if (stat(path, &st) < 0)
		return PATH_MISSING;
	if (!source->path_entry_is_safe(entry))
		return PATH_OTHERS;
	return st.st_uid != 0 && st.st_uid == geteuid() ? PATH_OWN : PATH_SYSTEM;
}

// An own folder counts where one of the system's comes behind it: only that one's programs can it hide.
static enum path_hands path_worst(const struct guard_source *source, const char *path, struct span *out)
{
	enum path_hands worst = PATH_SYSTEM;
	struct span entry, own = {0};
	while (guard_path_next(&path, &entry)) {
		enum path_hands hands = path_classify(source, entry);
		if (hands == PATH_OTHERS) {
			*out = entry;
			return PATH_OTHERS;
		}
		if (hands == PATH_OWN && !own.data)
			own = entry;
		if (hands == PATH_SYSTEM && own.data) {
			*out = own;
			worst = PATH_OWN;
		}
	}
	return worst;
}

static void check_path(const struct guard_source *source, struct finding *finding)
{
	char brief[PATH_BRIEF_BYTES];
	struct span entry = {0};
	if (!source->path_entry_is_safe) {
		finding_set(finding, FINDING_NOTE, "", "not known: nothing here tells which folders of PATH are safe");
		return;
	}
	enum path_hands worst = path_worst(source, guard_variable(source, "PATH"), &entry);
	text_brief(entry, brief, sizeof(brief));
	if (worst == PATH_OTHERS)
		finding_set(finding, FINDING_WARN, "take it out of PATH, or close it to others",
			    "PATH has a folder in which somebody else may put programs ('%s'): envseal leaves it out "
			    "for the programs it starts, your shell does not", brief);
	else if (worst == PATH_OWN)
		finding_set(finding, FINDING_NOTE, "",
			    "PATH has a folder of yours before the system's (%s): any program of yours can put another "
			    "envseal there, which asks for your passphrase", brief);
	else
		finding_set(finding, FINDING_OK, "", "nobody but the system decides what programs PATH finds first");
}

// --- the vault's file system

// fuse: a program answers for each file.
static const char *const foreign_types[] = {
	"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "afs", "ceph", "coda",
	"ncpfs", "fuse",
};
static const char *const ownerless_types[] = {"vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk"};

static bool type_is_in(const char *type, const char *const types[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static bool type_is_foreign(const char *type)
{
	return strncmp(type, "fuse.", 5) == 0 || type_is_in(type, foreign_types, ARRAY_COUNT(foreign_types));
}

// The vault's folder without links, or the nearest one above it that exists.
static char *folder_real(const char *path)
{
	_cleanup_free_ char *at = strdup(path);
	char *real = NULL;
	while (at && !(real = realpath(at, NULL))) {
		char *slash = strrchr(at, '/');
		if (!slash || slash[1] == 0)
			break;
		slash[slash == at] = 0;
	}
	return real;
}

// mountinfo(5) writes blanks, newlines and backslashes as \ooo.
static void octal_decode(char *text)
{
	char *out = text;
	for (const char *in = text; *in; out++) {
		bool is_escape = in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
				 in[3] >= '0' && in[3] <= '7';
		*out = is_escape ? (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + in[3] - '0') : *in;
		in += is_escape ? 4 : 1;
	}
	*out = 0;
}

// The length of the mount point when the path lies below it, else 0. `line` is used up.
static size_t mount_match(char *line, const char *path, const char **out_type)
{
	char *rest = line, *point = NULL;
	char *type = strstr(line, " - ");
	if (!type)
		return 0;
	*type = 0;
	type += 3;
	type[strcspn(type, " ")] = 0;
	for (int field = 0; field < 5; field++)
		point = strsep(&rest, " ");
	if (!point)
		return 0;
	octal_decode(point);
	size_t len = strlen(point);
	bool is_root = strcmp(point, "/") == 0;
	if (len == 0 || strncmp(path, point, len) != 0 || (!is_root && path[len] != '/' && path[len] != 0))
		return 0;
	*out_type = type;
	return len;
}

// The longest mount point is the nearest, and of two in one place the later one lies on top. NULL when there is none.
static const char *mount_type(char *mounts, const char *path)
{
	const char *found = NULL, *type = NULL;
	size_t longest = 0;
	for (char *line; (line = strsep(&mounts, "\n"));) {
		size_t len = mount_match(line, path, &type);
		if (len == 0 || len < longest)
			continue;
		longest = len;
		found = type;
	}
	return found;
}

static void check_vault(const struct guard_source *source, struct finding *finding)
{
	static const char remedy[] = "move the vault to a disk of this machine, by ENVSEAL_HOME or XDG_DATA_HOME";
	char brief[32];
	_cleanup_buf_ struct buf mounts = BUF_INIT(MOUNTS_BYTES_MAX);
	if (!source->vault_dir) {
		finding_set(finding, FINDING_NOTE, "", "not known: nothing here tells where the vault is");
		return;
	}
	_cleanup_free_ char *real = folder_real(source->vault_dir);
	bool is_read = real && guard_read(source->proc, "self/mountinfo", &mounts) && mounts.len > 0;
	const char *type = is_read ? mount_type((char *)mounts.data, real) : NULL;
	if (!type) {
		finding_unknown(finding, "/proc/self/mountinfo");
		return;
	}
	text_brief(span_text(type), brief, sizeof(brief));
	if (type_is_foreign(type))
		finding_set(finding, FINDING_WARN, remedy,
			    "the vault is on a file system of another machine or program (%s): that side can copy its "
			    "files and put older ones back, and locks may not hold", brief);
	else if (type_is_in(type, ownerless_types, ARRAY_COUNT(ownerless_types)))
		finding_set(finding, FINDING_WARN, remedy,
			    "the vault is on a file system that keeps no owners (%s): mounted elsewhere, everybody can "
			    "read its files and change them", brief);
	else
		finding_set(finding, FINDING_OK, "", "the vault is on a file system of this machine (%s)", brief);
}

const struct guard_check guard_files_checks[] = {
	{"path-writable", "files", FINDING_WARN, check_path},
	{"vault-filesystem", "files", FINDING_WARN, check_vault},
};
const size_t guard_files_check_count = ARRAY_COUNT(guard_files_checks);
