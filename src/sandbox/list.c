#include "sandbox/sandbox.h"

#include <stdlib.h>
#include <string.h>

bool sandbox_list_has(const struct sandbox_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

int sandbox_list_append(struct sandbox_list *list, const char *text, struct err *err)
{
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

int sandbox_list_add(struct sandbox_list *list, const char *text, struct err *err)
{
	return sandbox_list_has(list, text) ? 0 : sandbox_list_append(list, text, err);
}

void sandbox_list_done(struct sandbox_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct sandbox_list){0};
}
