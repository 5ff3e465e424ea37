/* SPDX-License-Identifier: MPL-2.0 */
/* limits - every bound that more than one folder keeps, in one place. */
#ifndef WEFT_LIMITS_H
#define WEFT_LIMITS_H

#define WEFT_PROTOCOL_VERSION 1
#define WEFT_PORT 9338 /* default TCP port of a node's ROUTER */
#define WEFT_NODE_VERSION "0.1.0"

#define LIMIT_NAME 63			     /* bytes of a node's name */
#define LIMIT_SKETCH_ID 80		     /* bytes of a full sketch id, "<node>-<n>" */
#define LIMIT_ENDPOINT 255		     /* bytes of a ZeroMQ endpoint */
#define LIMIT_JSON_BYTES (1024 * 1024)	     /* one command */
#define LIMIT_JSON_ADDED (64 * 1024)	     /* what nodes may add to it on the way down */
#define LIMIT_JSON_DEPTH 32		     /* nesting of a command */
#define LIMIT_FRAME_BYTES (64 * 1024 * 1024) /* one partial on the wire */
#define LIMIT_ENVELOPE_FRAMES 8		     /* routing frames before the command, the identity included */
#define LIMIT_KEYS 10000		     /* keys in one reply */
#define LIMIT_TIMEOUT_MS 60000
#define DEFAULT_TIMEOUT_MS 2000
#define LIMIT_TTL 32		 /* levels of a tree */
#define LIMIT_CHILDREN 1000	 /* of one node */
#define LIMIT_NODES 100000	 /* in one partial */
#define LIMIT_OPEN_REQUESTS 1024 /* at one node */
#define LIMIT_SKETCHES 256	 /* at one node */
#define LIMIT_COUNTERS 16	 /* of one sketch */
#define LIMIT_SAMPLE 1000000	 /* one packet counted of at most so many */

#define DEFAULT_SKETCH_MEMORY (256 * 1024)
#define LIMIT_SKETCH_MEMORY_MIN (16 * 1024)
#define LIMIT_SKETCH_MEMORY_MAX (64 * 1024 * 1024)

#endif
