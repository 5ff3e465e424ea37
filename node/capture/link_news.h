/* SPDX-License-Identifier: MPL-2.0 */
/*
 * link_news - the kernel's word that an interface or an address came, went or changed.
 *
 * A descriptor to be polled; what the news says is not read, for who asks looks at everything anew.
 */
#ifndef CAPTURE_LINK_NEWS_H
#define CAPTURE_LINK_NEWS_H

#include <stdbool.h>

#include "weft/error.h"

/* A descriptor, to be closed, or -1. */
int link_news_open(struct error *err);

/* Takes all the news there is; whether there was any. Never blocks. */
bool link_news_read(int news);

#endif
