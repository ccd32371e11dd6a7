// What LD_PRELOAD names: leaves a variable behind, by which "preload" sees that it was loaded.
#include <stdlib.h>

__attribute__((constructor)) static void leave(void)
{
	setenv("ATTACK_PRELOADED", "1", 1);
}
