/* SPDX-License-Identifier: MPL-2.0 */
/*
 * node - joins doors, links, gather, dispatch and the capture thread in one czmq loop.
 *
 * Start: doors and links, then capture binds its queue and a crash's leftovers are removed, then the stored
 * configuration brings the rules. End: rules first, then capture drains and ends, then the last replies leave.
 * A source that cannot be opened leaves a node that is present and says so (capture-failed), and touches no rule.
 */
#include "node.h"

#include <czmq.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "command/context.h"
#include "command/dispatch.h"
#include "command/sync.h"
#include "guard.h"

#define NODE_BEAT_MS 200

struct node {
	const struct config *config;
	struct log log;
	zloop_t *loop;
	char incarnation[17];
	struct guard *guard;
	struct context context;
	struct dispatch *dispatch;
	int signals;
};

static int on_signal(zloop_t *loop, zmq_pollitem_t *item, void *context)
{
	struct node *node = context;
	struct signalfd_siginfo info;

	(void)loop;
	if (read(item->fd, &info, sizeof info) != sizeof info)
		return 0;
	log_write(&node->log, LOG_LEVEL_INFO, "ending on signal %u", info.ssi_signo);
	return -1;
}

/* The feed whose thread this socket belongs to. */
static struct feed *node_feed(struct node *node, const zsock_t *socket)
{
	for (size_t i = 0; i < station_count(node->context.station); i++) {
		struct feed *feed = station_feed(node->context.station, i);

		if (feed->capture && capture_socket(feed->capture) == socket)
			return feed;
	}
	return NULL;
}

static int on_capture(zloop_t *loop, zsock_t *socket, void *context)
{
	struct node *node = context;
	struct feed *feed = node_feed(node, socket);
	struct capture_report *report;

	(void)loop;
	while (feed && (report = capture_receive(feed->capture)))
		dispatch_on_report(node->dispatch, feed, report);
	return 0;
}

/* What the rules have counted; and whether somebody else had changed them. */
static void node_take_rules(struct node *node, const struct keeper_report *report)
{
	struct context_rules *rules = &node->context.rules;

	if (report->error.code && strcmp(report->error.text, rules->error.text) != 0)
		log_write(&node->log, LOG_LEVEL_ERROR, "rules: %s", report->error.text);
	rules->error = report->error;
	rules->nfqueue = report->counts.nfqueue;
	rules->nflog = report->counts.nflog;
	if (!report->was_mended)
		return;
	rules->mended++;
	rules->mended_ms = context_wall_ms(&node->context);
	log_write(&node->log, LOG_LEVEL_WARNING, "rules: somebody changed them; put back behind the host's own");
}

static int on_keeper(zloop_t *loop, zsock_t *socket, void *context)
{
	struct node *node = context;
	struct keeper_report *report;

	(void)loop;
	(void)socket;
	while ((report = keeper_receive(station_keeper(node->context.station)))) {
		node_take_rules(node, report);
		keeper_report_destroy(report);
	}
	return 0;
}

/* The loop's own beat, and a look after the guard. */
static int on_beat(zloop_t *loop, int timer, void *context)
{
	struct node *node = context;

	(void)loop;
	(void)timer;
	node->context.beat = guard_beat(node->guard, GUARD_LOOP);
	guard_tick(node->context.beat);
	if (node->guard)
		node->context.guard.restarts = guard_check(node->guard);
	return 0;
}

/* All signals that end the node come by descriptor, in every thread of it. */
static int node_block_signals(struct node *node, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	node->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return node->signals < 0 ? error_set(err, ERROR_INTERNAL, "signalfd: %m") : 0;
}

static void node_on_feed(void *context, struct feed *feed)
{
	struct node *node = context;

	zloop_reader(node->loop, capture_socket(feed->capture), on_capture, node);
}

/* Whoever has rules in the kernel is watched. */
static void node_start_guard(struct node *node, struct keeper *keeper)
{
	struct error why = {0};

	node->guard = guard_start(node->config->name, node->config->queue, &node->log, &why);
	if (!node->guard)
		log_write(&node->log, LOG_LEVEL_ERROR, "guard: %s", why.text);
	else
		keeper_watch(keeper, guard_beat(node->guard, GUARD_KEEPER));
	node->context.guard.is_on = node->guard;
}

static void node_on_keeper(void *context, struct keeper *keeper)
{
	struct node *node = context;

	if (keeper_warning(keeper))
		log_write(&node->log, LOG_LEVEL_WARNING, "rules: %s", keeper_warning(keeper));
	if (node->config->is_guarded)
		node_start_guard(node, keeper);
	zloop_reader(node->loop, keeper_socket(keeper), on_keeper, node);
}

static atomic_uint *node_on_thread(void *context, unsigned int number)
{
	struct node *node = context;

	return guard_beat(node->guard, GUARD_CAPTURE + number);
}

/* A source that cannot be opened is the node's state, not its end. */
static int node_start_capture(struct node *node, struct error *err)
{
	const struct config *config = node->config;

	node->context.station = station_create(&(struct station_config){.queue = config->queue,
									.clock_offset_ms = config->clock_offset_ms,
									.context = node,
									.on_feed = node_on_feed,
									.on_keeper = node_on_keeper,
									.on_thread = node_on_thread});
	if (!node->context.station)
		return error_set(err, ERROR_INTERNAL, "capture: out of memory");
	for (size_t i = 0; i < config->source_count; i++) {
		const struct feed *feed = station_open(node->context.station, config->sources[i], err);

		if (!feed)
			return -1;
		if (feed->figures.state == CAPTURE_FAILED)
			log_write(&node->log, LOG_LEVEL_ERROR, "capture %s: %s", feed->kind, feed->figures.error.text);
	}
	return 0;
}

static int node_open_doors(struct node *node, struct error *err)
{
	const struct config *config = node->config;

	node->context.upstream = upstream_create(node->loop, dispatch_on_command, node->dispatch);
	if (config->is_insecure)
		log_write(&node->log, LOG_LEVEL_WARNING,
			  "--insecure: whoever reaches an endpoint may configure this node");
	for (size_t i = 0; i < config->topology.listen_count; i++) {
		const char *endpoint = config->topology.listen[i];
		bool may_configure = config->is_insecure || topology_endpoint_reach(endpoint) == REACH_LOCAL;

		if (upstream_listen(node->context.upstream, endpoint, may_configure, err) < 0)
			return -1;
		log_write(&node->log, LOG_LEVEL_INFO, "listening on %s%s", endpoint,
			  may_configure ? "" : " (queries only)");
	}
	return 0;
}

static int node_connect_children(struct node *node, struct error *err)
{
	const struct topology *topology = &node->config->topology;
	struct downstream_config config = {
		.loop = node->loop,
		.node = node->config->name,
		.log = &node->log,
		.on_partial = dispatch_on_partial,
		.on_lost = dispatch_on_lost,
		.on_up = dispatch_on_up,
		.on_hello = dispatch_on_hello,
		.context = node->dispatch,
	};

	node->context.downstream = downstream_create(&config);
	for (size_t i = 0; i < topology->child_count; i++) {
		const struct topology_child *child = &topology->children[i];

		if (downstream_add(node->context.downstream, child->name, child->endpoint, err) < 0)
			return -1;
	}
	return 0;
}

static int node_start(struct node *node, struct error *err)
{
	struct context *context = &node->context;
	uint64_t random;
	zmq_pollitem_t item;

	if (node_block_signals(node, err) < 0)
		return -1;
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return error_set(err, ERROR_INTERNAL, "incarnation: no random bytes");
	snprintf(node->incarnation, sizeof node->incarnation, "%016llx", (unsigned long long)random);
	node->loop = zloop_new();
	item = (zmq_pollitem_t){.fd = node->signals, .events = ZMQ_POLLIN};
	zloop_poller(node->loop, &item, on_signal, node);
	context->store = store_create(node->config->name, node->config->memory_total);
	context->gathers = gather_table_create(node->loop, node->incarnation);
	node->dispatch = dispatch_create(context);
	if (node_open_doors(node, err) < 0 || node_connect_children(node, err) < 0)
		return -1;
	if (node_start_capture(node, err) < 0 || context_apply(context, err) < 0 || sync_restore(context, err) < 0)
		return -1;
	zloop_timer(node->loop, NODE_BEAT_MS, 0, on_beat, node);
	return 0;
}

static void node_end(struct node *node)
{
	struct context *context = &node->context;

	sd_notify(0, "STOPPING=1");
	if (context->beat)
		atomic_store(context->beat, 0);
	context->beat = NULL;
	gather_table_finish(context->gathers);
	station_stop(context->station);
	downstream_destroy(context->downstream);
	gather_table_destroy(context->gathers);
	upstream_destroy(context->upstream);
	dispatch_destroy(node->dispatch);
	store_destroy(context->store);
	station_destroy(context->station);
	guard_stop(node->guard);
	json_decref(context->authorities);
	zloop_destroy(&node->loop);
	if (node->signals >= 0)
		close(node->signals);
	zsys_shutdown();
}

/*
 * czmq reads these once, at its first use: no signal handlers of its own (signals come by descriptor), no bound on
 * the PAIR's queue (a report must never block the capture thread), as many sockets as the system allows.
 */
static void node_configure_czmq(void)
{
	setenv("ZSYS_SIGHANDLER", "false", 1);
	setenv("ZSYS_PIPEHWM", "0", 1);
	setenv("ZSYS_MAX_SOCKETS", "0", 1);
}

int node_run(const struct config *config, struct error *err)
{
	struct node node = {.config = config, .log = {config->log_level, config->name}, .signals = -1};
	int result;

	node_configure_czmq();
	node.context = (struct context){
		.node = config->name,
		.incarnation = node.incarnation,
		.state_dir = config->state_dir,
		.queue = config->queue,
		.log = &node.log,
		.topology = &config->topology,
		.started_ms = zclock_mono(),
		.clock_offset_ms = config->clock_offset_ms,
	};
	result = node_start(&node, err);
	if (result == 0) {
		on_beat(node.loop, 0, &node); /* watched from the first moment that it answers */
		sd_notify(0, "READY=1");
		log_write(&node.log, LOG_LEVEL_INFO, "ready");
		zloop_start(node.loop);
	}
	node_end(&node);
	return result;
}
