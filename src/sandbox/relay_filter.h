// What the relay may still ask of the kernel, once it runs.
#pragma once

#include <stdbool.h>

// Sockets of IPv4 and IPv6, files to read, memory and time; every other call fails with EPERM, and one of another architecture
// ends the process. False where the kernel refuses. Wants no_new_privs.
bool relay_filter_enter(void);
