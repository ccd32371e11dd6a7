#include "redact/queue.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MIN 16

void *queue_room(void *list, size_t *head, size_t count, size_t *cap, size_t more, size_t row_bytes)
{
	if (*head + count + more <= *cap)
		return list;
	const uint8_t *rows = list;
	if (count + more <= *cap / 2) {
		memmove(list, rows + *head * row_bytes, count * row_bytes);
		*head = 0;
		return list;
	}
	size_t room = *cap ? *cap : ROWS_MIN;
	while (room < 2 * (count + more))
		room *= 2;
	void *wider = calloc(room, row_bytes);
	if (!wider)
		return NULL;
	if (count > 0)
		memcpy(wider, rows + *head * row_bytes, count * row_bytes);
	free(list);
	*head = 0;
	*cap = room;
	return wider;
}
