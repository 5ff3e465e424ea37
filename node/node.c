/* SPDX-License-Identifier: MPL-2.0 */
/*
 * node - joins doors, links, gather, dispatch and the capture thread in one czmq loop.
 *
 * Start: capture binds its queue, then a crash's leftovers are removed, then the doors open, then the stored
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

#define NODE_MEND_MS 1000

struct node {
	const struct config *config;
	struct log log;
	zloop_t *loop;
	char incarnation[17];
	char source_kind[16];
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

static int on_capture(zloop_t *loop, zsock_t *socket, void *context)
{
	struct node *node = context;
	struct capture_report *report;

	(void)loop;
	(void)socket;
	while ((report = capture_receive(node->context.capture)))
		dispatch_on_report(node->dispatch, report);
	return 0;
}

/* Keeps the jump the last rule of its chain, puts back what others flushed, and reads what the rules have counted. */
static int on_mend(zloop_t *loop, int timer, void *context)
{
	struct node *node = context;
	struct error why = {0};
	bool changed = false;

	(void)loop;
	(void)timer;
	if (!node->context.rules || node->context.store->count == 0)
		return 0;
	if (rules_mend(node->context.rules, &changed, &why) < 0)
		log_write(&node->log, LOG_LEVEL_ERROR, "rules: %s", why.text);
	else if (changed)
		log_write(&node->log, LOG_LEVEL_WARNING,
			  "rules: somebody changed them; put back behind the host's own");
	rules_matched(node->context.rules, &node->context.rules_matched, NULL);
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

static void node_fail_capture(struct node *node, const struct error *why)
{
	log_write(&node->log, LOG_LEVEL_ERROR, "capture: %s", why->text);
	node->context.figures.state = CAPTURE_FAILED;
	node->context.figures.error = *why;
}

static int node_start_rules(struct node *node, struct error *err)
{
	node->context.rules = rules_create(node->config->queue, err);
	if (!node->context.rules || rules_clean(node->context.rules, err) < 0)
		return -1;
	if (rules_warning(node->context.rules))
		log_write(&node->log, LOG_LEVEL_WARNING, "rules: %s", rules_warning(node->context.rules));
	return 0;
}

/* A failure here is the node's state, not its end. */
static void node_start_capture(struct node *node)
{
	struct error why = {0};
	struct source *source = source_create(node->config->source, node->config->queue, &why);

	node->context.figures.state = CAPTURE_IDLE;
	if (!source) {
		node_fail_capture(node, &why);
		return;
	}
	if (source->ops->rules != SOURCE_RULES_NONE && node_start_rules(node, &why) < 0) {
		rules_destroy(node->context.rules);
		node->context.rules = NULL;
		source->ops->destroy(source);
		node_fail_capture(node, &why);
		return;
	}
	node->context.figures.state = source->ops->is_live ? CAPTURE_RUNNING : CAPTURE_IDLE;
	node->context.capture = capture_start(source, node->config->clock_offset_ms, &why);
	if (!node->context.capture)
		node_fail_capture(node, &why);
	else
		zloop_reader(node->loop, capture_socket(node->context.capture), on_capture, node);
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
	context->store = store_create(node->config->name);
	context->gathers = gather_table_create(node->loop, node->incarnation);
	node->dispatch = dispatch_create(context);
	if (node_open_doors(node, err) < 0 || node_connect_children(node, err) < 0)
		return -1;
	node_start_capture(node);
	if (context_apply(context, err) < 0 || sync_restore(context, err) < 0)
		return -1;
	zloop_timer(node->loop, NODE_MEND_MS, 0, on_mend, node);
	return 0;
}

static void node_end(struct node *node)
{
	struct context *context = &node->context;

	sd_notify(0, "STOPPING=1");
	gather_table_finish(context->gathers);
	rules_destroy(context->rules);
	if (context->capture)
		zloop_reader_end(node->loop, capture_socket(context->capture));
	capture_stop(context->capture);
	downstream_destroy(context->downstream);
	gather_table_destroy(context->gathers);
	upstream_destroy(context->upstream);
	dispatch_destroy(node->dispatch);
	store_destroy(context->store);
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
	snprintf(node.source_kind, sizeof node.source_kind, "%.*s", (int)strcspn(config->source, ":"), config->source);
	node.context = (struct context){
		.node = config->name,
		.incarnation = node.incarnation,
		.state_dir = config->state_dir,
		.source_kind = node.source_kind,
		.log = &node.log,
		.topology = &config->topology,
		.started_ms = zclock_mono(),
		.clock_offset_ms = config->clock_offset_ms,
	};
	result = node_start(&node, err);
	if (result == 0) {
		sd_notify(0, "READY=1");
		log_write(&node.log, LOG_LEVEL_INFO, "ready");
		zloop_start(node.loop);
	}
	node_end(&node);
	return result;
}
