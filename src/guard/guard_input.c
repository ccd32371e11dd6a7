// Who else could type into this session, or watch it.
#include "guard/guard_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// What the kernel keeps of a program's name, with its NUL.
#define COMM_BYTES 16

static void check_uinput(const struct guard_source *source, struct finding *finding)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/uinput", source->dev);
	if (access(path, W_OK) < 0)
		finding_set(finding, FINDING_OK, "", "no keyboard can be made up here (/dev/uinput)");
	else
		finding_set(finding, FINDING_WARN, "take the right away: look at its group, its ACL and the udev rules",
			    "/dev/uinput is open to you: every program of yours can be a keyboard, and type into every "
			    "window and console as if it were you");
}

static void check_input_events(const struct guard_source *source, struct finding *finding)
{
	char path[PATH_MAX];
	bool is_readable = false;
	snprintf(path, sizeof(path), "%s/input", source->dev);
	DIR *folder = opendir(path);
	for (struct dirent *entry; folder && !is_readable && (entry = readdir(folder));)
		is_readable = strncmp(entry->d_name, "event", 5) == 0 &&
			      faccessat(dirfd(folder), entry->d_name, R_OK, 0) == 0;
	if (folder)
		closedir(folder);
	if (is_readable)
		finding_set(finding, FINDING_WARN, "leave the group input, or take away the ACL that opens them",
			    "input devices are open to you (/dev/input/event*): every program of yours can see each "
			    "key that is pressed on this machine");
	else
		finding_set(finding, FINDING_OK, "", "keyboards cannot be read past the desktop (/dev/input/event*)");
}

static bool tool_is_there(const char *path, const char *tool)
{
	char full[PATH_MAX];
	struct span entry;
	while (guard_path_next(&path, &entry)) {
		if (entry.len == 0 || entry.data[0] != '/' || entry.len >= sizeof(full))
			continue;
		int len = snprintf(full, sizeof(full), "%.*s/%s", (int)entry.len, (const char *)entry.data, tool);
		if ((size_t)len < sizeof(full) && access(full, X_OK) == 0)
			return true;
	}
	return false;
}

static void check_input_tools(const struct guard_source *source, struct finding *finding)
{
	static const char *const tools[] = {"xdotool", "ydotool", "wtype", "dotool", "xte", "evemu-event"};
	const char *path = guard_variable(source, "PATH");
	for (size_t i = 0; i < ARRAY_COUNT(tools); i++) {
		if (!tool_is_there(path, tools[i]))
			continue;
		finding_set(finding, FINDING_NOTE, "",
			    "%s is installed: where the desktop or the devices allow it, it types in your place; any "
			    "other program could do the same there", tools[i]);
		return;
	}
	finding_set(finding, FINDING_OK, "", "no tool that types in your place is on PATH");
}

// As /proc/PID/comm has them, which cuts them at COMM_BYTES - 1.
static const char *const recorders[] = {
	"obs", "wf-recorder", "simplescreenrec", "gpu-screen-reco", "kooha", "peek", "recordmydesktop", "vokoscreenNG",
	"asciinema", "script", "ttyrec", "x11vnc", "x0vncserver", "wayvnc", "krfb", "gnome-remote-de", "anydesk",
	"rustdesk", "tmate", "ttyd",
};

static const char *recorder_of(const char *proc, const char *number)
{
	char path[64];
	_cleanup_buf_ struct buf comm = BUF_INIT(COMM_BYTES);
	snprintf(path, sizeof(path), "%.20s/comm", number);
	if (!guard_read(proc, path, &comm))
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(recorders); i++)
		if (strcmp(buf_text(&comm), recorders[i]) == 0)
			return recorders[i];
	return NULL;
}

static void check_recorders(const struct guard_source *source, struct finding *finding)
{
	const char *found = NULL;
	DIR *folder = opendir(source->proc);
	if (!folder) {
		finding_unknown(finding, "/proc");
		return;
	}
	for (struct dirent *entry; !found && (entry = readdir(folder));)
		if (isdigit((unsigned char)entry->d_name[0]))
			found = recorder_of(source->proc, entry->d_name);
	closedir(folder);
	if (found)
		finding_set(finding, FINDING_WARN, "end it before you type a passphrase or have a code shown",
			    "%s is running: what is shown or typed on this machine may be recorded, or seen and typed "
			    "elsewhere", found);
	else
		finding_set(finding, FINDING_OK, "", "no program known to record or share screens is running");
}

const struct guard_check guard_input_checks[] = {
	{"uinput", "terminal", FINDING_WARN, check_uinput},
	{"input-events", "terminal", FINDING_WARN, check_input_events},
	{"input-tools", "terminal", FINDING_NOTE, check_input_tools},
	{"screen-recorder", "terminal", FINDING_WARN, check_recorders},
};
const size_t guard_input_check_count = ARRAY_COUNT(guard_input_checks);
