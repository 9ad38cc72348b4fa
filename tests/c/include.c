/* The header by itself, twice. */
#include <utempter.h>
#include <utempter.h>

int (*add)(int, const char *) = utempter_add_record;
int (*del)(int) = utempter_remove_record;
int (*del_added)(void) = utempter_remove_added_record;
void (*set)(const char *) = utempter_set_helper;
