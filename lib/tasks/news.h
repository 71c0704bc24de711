/* SPDX-License-Identifier: MIT */
/* news.h - what the server is to be told, by submit. */
#ifndef HQI_TASKS_NEWS_H
#define HQI_TASKS_NEWS_H

#include "tasks/book.h"

void hqi_tasks_news_add_piece(struct tasks *t, struct piece *p, int kind);
void hqi_tasks_news_add_pieces(struct tasks *t, struct list *pieces, int kind); /* all of them; empties the list */
void hqi_tasks_news_add_started(struct tasks *t, struct attempt *a);
void hqi_tasks_news_add_ended(struct tasks *t, struct attempt *a); /* out of its slot: owned from now on */
void hqi_tasks_news_doubt(struct tasks *t, struct attempt *a); /* the same, later: unless the worker ends before */
uint64_t hqi_tasks_news_trust_ns(const struct tasks *t); /* when the next of those is news; UINT64_MAX: there is none */
void hqi_tasks_news_forget(struct tasks *t, struct work *w);

#endif
