#include "sandbox/sandbox_internal.h"

#include <stdlib.h>
#include <string.h>

int list_add(struct sandbox_list *list, const char *text, struct err *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return 0;
	char **items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (!items)
		return err_set(err, ERR_MEMORY, "out of memory");
	list->items = items;
	list->items[list->count] = strdup(text);
	if (!list->items[list->count])
		return err_set(err, ERR_MEMORY, "out of memory");
	list->count++;
	return 0;
}

void list_done(struct sandbox_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct sandbox_list){0};
}

int paths_fill(const struct sandbox_wish *wish, const struct sandbox_place *place, struct sandbox_plan *plan, struct err *err)
{
	(void)wish;
	(void)place;
	(void)plan;
	(void)err;
	return 0;
}
