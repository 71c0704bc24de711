/* SPDX-License-Identifier: MIT */
/* list.h - intrusive doubly linked list. The node lives in the object; the list owns nothing.
 * An unlinked node points to itself, so unlinking twice is harmless. */
#ifndef HQI_BASE_LIST_H
#define HQI_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define hqi_container(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_insert_before(struct list *pos, struct list *node)
{
    node->prev = pos->prev;
    node->next = pos;
    pos->prev->next = node;
    pos->prev = node;
}
static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}
static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}
static inline void list_unlink(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}
static inline struct list *list_pop_front(struct list *head) /* NULL when empty */
{
    struct list *n = head->next;
    if (n == head)
        return NULL;
    list_unlink(n);
    return n;
}
#define list_for(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
#define list_for_safe(it, tmp, head) \
    for (struct list *it = (head)->next, *tmp = it->next; it != (head); it = tmp, tmp = it->next)

#endif
