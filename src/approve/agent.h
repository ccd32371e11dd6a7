// approve/agent: which processes call themselves like an AI agent. A help for the human, no defence: any process can
// take another name.
#pragma once

#include "base/base.h"

// The script that an interpreter (node, python) was started with, by its arguments as in /proc/PID/cmdline: the path,
// or the module behind -m. NULL when `process` is no such interpreter, or there is none. Points into `cmdline`, which has
// a NUL behind its `len` bytes.
const char *agent_script(const char *process, const char *cmdline, size_t len);
// The agent's name for a process name and a script (or NULL): by its base name without ending, or by the package below
// node_modules or site-packages that it belongs to. NULL for any other. Static.
const char *agent_name(const char *process, const char *script);
