/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The property of a plan, over seeds: a packet that walks through the printed rules, as iptables would have it, ends at
 * the action chain of the smallest N among the sketches whose filters match it, and nowhere when none does; and it
 * passes one rule of each counter whose filter matches it. No packet comes to a match that would drop it. Of IPv6
 * packets whose transport header cannot be read the rules take more, and counters fewer.
 */
#include "rules_fixture.h"

#include <netinet/in.h>
#include <strings.h>

#define SEEDS 400
#define PACKETS 200

/* What a rule of the printed text says to a packet. */
struct verdict {
	bool is_match;
	char target[64], comment[300];
};

static bool ports_have(const char *list, uint16_t port)
{
	char copy[512], *rest = copy;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *one; (one = strsep(&rest, ","));) {
		char *upto = strchr(one, ':');

		if (port >= atoi(one) && port <= atoi(upto ? upto + 1 : one))
			return true;
	}
	return false;
}

static bool prefix_has(const char *text, const struct packet *packet, const uint8_t *addr)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(&prefix, text, NULL), 0);
	return prefix_match(&prefix, packet->family, addr);
}

static uint8_t flags_parse(const char *list)
{
	static const char *const names[] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG" };
	uint8_t flags = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strstr(list, names[i]))
			flags |= (uint8_t)(1 << i);
	return flags;
}

static bool dev_has(const char *wanted, const char *dev)
{
	size_t len = strlen(wanted);

	return dev && (wanted[len - 1] == '+' ? strncmp(wanted, dev, len - 1) == 0 : strcmp(wanted, dev) == 0);
}

/* A packet is odd when its transport header is not there: it has no ports and is no later fragment, or it has no TCP
 * flags. Later fragments are marked PACKET_FRAGMENT here, and nothing else is. */
static bool packet_is_odd(const struct packet *packet)
{
	bool has_header = !(packet->flags & PACKET_NO_PORTS) || (packet->flags & PACKET_FRAGMENT) ||
			  !packet_has_ports(packet->proto);

	return !has_header || (packet->flags & (PACKET_NO_TCP_FLAGS | PACKET_NO_PROTO));
}

/* The tests of odd packets' rules: whether the ports, or the flags, are there, and the flags. */
static bool u32_match(const char *text, const struct packet *packet)
{
	unsigned int mask, set;

	if (strcmp(text, "6&0xff=0") == 0)
		return packet->proto == 0;
	if (strcmp(text, "0>>22&0x3C@0=0:0xffffffff") == 0)
		return !(packet->flags & PACKET_NO_PORTS);
	if (packet->flags & (PACKET_NO_PORTS | PACKET_NO_TCP_FLAGS))
		return false;
	if (strcmp(text, "0>>22&0x3C@10=0:0xffffffff") == 0)
		return true;
	assert_int_equal(sscanf(text, "0>>22&0x3C@10&0x%x=0x%x", &mask, &set), 2);
	return (packet->tcp_flags & mask) == set;
}

/* What the kernel's matches drop, or read from other bytes, must not come to them. */
static void assert_readable(const char *match, const struct packet *packet)
{
	bool is_later = packet->flags & PACKET_FRAGMENT;

	if (strcmp(match, "multiport") == 0)
		assert_true(is_later || !(packet->flags & PACKET_NO_PORTS));
	if (strcmp(match, "tcp") == 0 || strcmp(match, "udp") == 0 || strcmp(match, "ecn") == 0)
		assert_false(packet_is_odd(packet));
}

/* One option of a rule with its value. More than iptables is asked of the text: each option must be known here. */
static bool option_match(const char *option, char **rest, const struct packet *packet)
{
	bool is_later = packet->flags & PACKET_FRAGMENT;
	const char *value;
	uint8_t mask;

	if (strncmp(option, "--ecn-tcp-", 10) == 0)
		return is_later || (packet->tcp_flags & (strcmp(option + 10, "ece") == 0 ? 0x40 : 0x80));
	if (strcmp(option, "-f") == 0)
		return is_later;
	value = strsep(rest, " ");
	if (strcmp(option, "-m") == 0)
		assert_readable(value, packet);
	if (strcmp(option, "-m") == 0) /* the nft back end's own matches read any fragment */
		return !is_later || strcmp(value, "multiport") != 0;
	if (strcmp(option, "-s") == 0)
		return prefix_has(value, packet, packet->src);
	if (strcmp(option, "-d") == 0)
		return prefix_has(value, packet, packet->dst);
	if (strcmp(option, "-i") == 0)
		return dev_has(value, packet->in_dev);
	if (strcmp(option, "-o") == 0)
		return dev_has(value, packet->out_dev);
	if (strcmp(option, "-p") == 0 && packet->family == 6) /* the legacy back end drops what has no protocol */
		assert_false(packet->flags & PACKET_NO_PROTO);
	if (strcmp(option, "-p") == 0)
		return packet->proto == atoi(value);
	if (strcmp(option, "--ports") == 0)
		return ports_have(value, packet->sport) || ports_have(value, packet->dport);
	if (strncmp(option, "--sport", 7) == 0)
		return ports_have(value, packet->sport);
	if (strncmp(option, "--dport", 7) == 0)
		return ports_have(value, packet->dport);
	if (strcmp(option, "--u32") == 0)
		return u32_match(value, packet);
	assert_string_equal(option, "--tcp-flags");
	mask = flags_parse(value);
	return (packet->tcp_flags & mask) == flags_parse(strsep(rest, " "));
}

/* A quoted text, or a word. */
static void comment_take(char **rest, char comment[300])
{
	bool is_quoted = **rest == '"';

	if (is_quoted)
		++*rest;
	snprintf(comment, 300, "%s", strsep(rest, is_quoted ? "\"" : " "));
	if (is_quoted)
		*rest = **rest == ' ' ? *rest + 1 : NULL;
}

static struct verdict rule_ask(const char *line, size_t len, const struct packet *packet)
{
	char copy[2048], *rest = copy, *word;
	struct verdict verdict = { .is_match = true };
	char bytecode[300];

	snprintf(copy, sizeof(copy), "%.*s", (int)len, line);
	strsep(&rest, " ");
	strsep(&rest, " ");
	while (verdict.is_match && (word = strsep(&rest, " "))) {
		bool is_not = strcmp(word, "!") == 0;

		if (is_not)
			word = strsep(&rest, " ");
		if (strcmp(word, "-g") == 0 || strcmp(word, "-j") == 0)
			snprintf(verdict.target, sizeof(verdict.target), "%s", strsep(&rest, " "));
		else if (strcmp(word, "--comment") == 0)
			comment_take(&rest, verdict.comment);
		else if (strcmp(word, "--bytecode") == 0) {
			comment_take(&rest, bytecode);
			verdict.is_match &= !packet_is_odd(packet);
		}
		else if (strcmp(word, "-m") == 0 || !is_not)
			verdict.is_match &= option_match(word, &rest, packet);
		else if (strcmp(word, "--tcp-flags") == 0 || strncmp(word, "--ecn", 5) == 0)
			verdict.is_match &= !option_match(word, &rest, packet) || (packet->flags & PACKET_FRAGMENT);
		else
			verdict.is_match &= !option_match(word, &rest, packet);
	}
	return verdict;
}

/* Where a packet that jumps to the chain goes: 1 in so many, or 0 for nowhere. */
static uint32_t plan_walk(const struct rules_plan *plan, const char *name, const struct packet *packet)
{
	const struct plan_chain *chain = rules_plan_find(plan, name, strlen(name));

	for (const char *line = chain ? chain->lines : ""; *line; line = strchr(line, '\n') + 1) {
		struct verdict verdict = rule_ask(line, strcspn(line, "\n"), packet);

		if (!verdict.is_match)
			continue;
		if (strcmp(verdict.target, "RETURN") == 0)
			return 0;
		assert_non_null(rules_plan_find(plan, verdict.target, strlen(verdict.target)));
		if (strncmp(verdict.target, "WEFT-Q-", 7) == 0 || strncmp(verdict.target, "WEFT-L-", 7) == 0)
			return (uint32_t)atoi(verdict.target + 7);
		return plan_walk(plan, verdict.target, packet);
	}
	return 0;
}

/* How many rules of the counter with this comment the packet passes. */
static size_t plan_count(const struct rules_plan *plan, const char *name, const char *comment,
			 const struct packet *packet)
{
	const struct plan_chain *chain = rules_plan_find(plan, name, strlen(name));
	size_t count = 0;

	for (const char *line = chain ? chain->lines : ""; *line; line = strchr(line, '\n') + 1) {
		struct verdict verdict = rule_ask(line, strcspn(line, "\n"), packet);

		if (verdict.is_match && verdict.target[0])
			return plan_count(plan, verdict.target, comment, packet);
		count += verdict.is_match && strcmp(verdict.comment, comment) == 0;
	}
	return count;
}

static const char *pick(unsigned int *random, const char *const *texts, size_t count)
{
	return texts[(size_t)rand_r(random) % count];
}

#define PICK(random, ...) \
	pick(random, (const char *const[]){ __VA_ARGS__ }, \
	     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* A filter out of random fields; the ones that can match nothing are refused, and drawn again. */
static struct filter filter_draw(unsigned int *random)
{
	struct filter filter;
	const char *texts[FILTER_FIELDS];

	do {
		texts[FILTER_INTERFACE] = PICK(random, "INPUT", "OUTPUT", "FORWARD", "INPUT,OUTPUT",
					       "INPUT,OUTPUT,FORWARD");
		texts[FILTER_PROTO] = PICK(random, NULL, NULL, NULL, "tcp", "udp", "!udp", "icmp", "icmpv6", "!tcp",
					   "sctp", "0", "!0");
		texts[FILTER_SRC] = PICK(random, NULL, NULL, NULL, "10.0.0.0/8", "10.1.0.0/16", "!10.1.0.0/16",
					 "127.0.0.1", "fd00::/8", "!fd00:1::/32", "0.0.0.0/0", "!10.1.2.3");
		texts[FILTER_DST] = PICK(random, NULL, NULL, NULL, "10.1.2.0/24", "!10.0.0.0/8", "::1", "fd00:1::/32",
					 "!::/0");
		texts[FILTER_SPORT] = PICK(random, NULL, NULL, NULL, "80", "!80", "79-81,443",
					   "1,3,5,7,9,11,13,15,17,19,21,23,25,80,443");
		texts[FILTER_DPORT] = PICK(random, NULL, NULL, NULL, "80", "!79-443", "0-65535", "!9338");
		texts[FILTER_TCP_FLAGS] = PICK(random, NULL, NULL, NULL, NULL, "SYN", "!SYN,ACK/SYN", "ECE", "!CWR",
					       "!SYN,ECE,CWR/SYN,CWR", "ECE,CWR/NONE", "!ALL/NONE", "FIN,ECE/FIN");
		texts[FILTER_IN_INTERFACE] = PICK(random, NULL, NULL, NULL, "eth0", "!eth0", "eth+", "lo");
		texts[FILTER_OUT_INTERFACE] = PICK(random, NULL, NULL, NULL, "eth1", "!eth+");
	} while (filter_read(&filter, texts, NULL) < 0);
	filter.include_fabric = rand_r(random) % 3 == 0;
	filter.include_loopback = rand_r(random) % 3 == 0;
	filter.sample = rand_r(random) % 2 ? 1 : (uint32_t)rand_r(random) % 4;
	return filter;
}

static void fixture_draw(struct fixture *fixture, unsigned int *random)
{
	fixture_init(fixture);
	fixture->wish.sketch_count = (size_t)rand_r(random) % 8 + 1;
	fixture->wish.counter_count = (size_t)rand_r(random) % 3;
	for (size_t i = 0; i < fixture->wish.sketch_count; i++) {
		struct rules_sketch *sketch = &fixture->sketches[i];

		sketch->filter = filter_draw(random);
		sketch->target = rand_r(random) % 3 ? SOURCE_RULES_NFQUEUE : SOURCE_RULES_NFLOG;
		snprintf(sketch->id, sizeof(sketch->id), "h1-%zu", i);
	}
	for (size_t i = 0; i < fixture->wish.counter_count; i++) {
		fixture->counters[i].filter = filter_draw(random);
		snprintf(fixture->counters[i].id, sizeof(fixture->counters[i].id), "c%zu", i);
	}
	for (int i = rand_r(random) % 8 ? rand_r(random) % 3 : FIXTURE_ROOM; i > 0; i--)
		fixture_add_endpoint(fixture, PICK(random, "any", "10.1.2.3", "fd00::/8"),
				     rand_r(random) % 2 ? 80 : (uint16_t)(9340 - i));
}

static struct packet packet_draw(unsigned int *random)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_DCCP,
					  IPPROTO_UDPLITE, IPPROTO_GRE };
	static const uint16_t ports[] = { 0, 79, 80, 81, 443, 9338, 65535 };
	struct packet packet = { .family = rand_r(random) % 2 ? 4 : 6, .hook = rules_hook((size_t)rand_r(random) % 3),
				 .proto = protos[(size_t)rand_r(random) % sizeof(protos)],
				 .tcp_flags = (uint8_t)rand_r(random), .weight = 1 };
	const char *src, *dst;
	struct prefix prefix;

	if (rand_r(random) % 6 == 0)
		packet.proto = packet.family == 4 ? (rand_r(random) % 2 ? IPPROTO_ICMP : 0) : IPPROTO_ICMPV6;
	src = packet.family == 4 ? PICK(random, "10.1.2.3", "10.1.9.9", "10.9.9.9", "127.0.0.1", "192.0.2.1") :
				   PICK(random, "::1", "fd00::1", "fd00:1::1", "2001:db8::1");
	dst = packet.family == 4 ? PICK(random, "10.1.2.3", "10.1.9.9", "127.0.0.9", "192.0.2.1") :
				   PICK(random, "::1", "fd00::1", "fd00:1::1", "2001:db8::1");
	assert_int_equal(prefix_parse(&prefix, src, NULL), 0);
	memcpy(packet.src, prefix.addr, sizeof(packet.src));
	assert_int_equal(prefix_parse(&prefix, dst, NULL), 0);
	memcpy(packet.dst, prefix.addr, sizeof(packet.dst));
	if (!packet_has_ports(packet.proto) || rand_r(random) % 6 == 0) {
		packet.flags = PACKET_NO_PORTS | (rand_r(random) % 2 ? PACKET_FRAGMENT : 0);
		packet.tcp_flags = 0;
	} else {
		if (packet.proto == IPPROTO_TCP && rand_r(random) % 6 == 0)
			packet.flags = PACKET_NO_TCP_FLAGS;
		packet.tcp_flags &= packet.flags ? 0 : 255;
		packet.sport = ports[(size_t)rand_r(random) % 7];
		packet.dport = ports[(size_t)rand_r(random) % 7];
	}
	if (packet.family == 6 && rand_r(random) % 12 == 0) {
		packet.flags = PACKET_NO_PORTS | PACKET_NO_PROTO;
		packet.proto = IPPROTO_DSTOPTS;
	}
	if (packet.hook != HOOK_OUTPUT)
		packet.in_dev = PICK(random, "eth0", "eth1", "lo");
	if (packet.hook != HOOK_INPUT)
		packet.out_dev = PICK(random, "eth0", "eth1", "wg0");
	return packet;
}

/* Of odd packets the rules do not say whether they are the fabric's: the daemon does. */
static uint32_t wanted_of(const struct fixture *fixture, enum source_rules target, const struct packet *packet)
{
	const struct filter_fabric *fabric = packet_is_odd(packet) ? NULL : &fixture->wish.fabric;
	uint32_t wanted = 0;

	for (size_t i = 0; i < fixture->wish.sketch_count; i++) {
		const struct rules_sketch *sketch = &fixture->sketches[i];
		uint32_t every = sketch->filter.sample ? sketch->filter.sample : 1;

		if (sketch->target == target && filter_match(&sketch->filter, packet, fabric) &&
		    (!wanted || every < wanted))
			wanted = every;
	}
	return wanted;
}

/* Whether the rules' answer is right: that of the filters; for odd IPv6 packets it may be wider. */
static bool walk_is_right(const struct fixture *fixture, const struct rules_plan *plan, const char *chain,
			  enum source_rules target, const struct packet *packet)
{
	uint32_t got = plan_walk(plan, chain, packet), wanted = wanted_of(fixture, target, packet);

	if (packet->family == 6 && packet_is_odd(packet))
		return wanted == 0 || (got != 0 && got <= wanted);
	return got == wanted;
}

/* Counters have nobody who would tell later: of odd IPv6 packets they count those that need no looking into. */
static bool counter_counts(struct filter filter, const struct packet *packet)
{
	filter.include_fabric = filter.include_loopback = true;
	if (packet->family == 6 && filter.proto == 0 && filter.not_proto) /* every one of this family */
		filter.proto = -1;
	if (packet->family == 6 && packet_is_odd(packet) &&
	    (filter.proto >= 0 || filter.tcp_mask || filter.sport.count || filter.dport.count))
		return false;
	return filter_match(&filter, packet, NULL);
}

static void check_packet(const struct fixture *fixture, const struct rules_plan *plan, unsigned int *random,
			 unsigned int seed)
{
	struct packet packet = packet_draw(random);
	const char *hook = filter_hook_name(packet.hook);
	char queue[64], log[64], count[64], comment[128];

	snprintf(queue, sizeof(queue), "WEFT-%s", hook);
	snprintf(log, sizeof(log), "WEFT-LOG-%s", hook);
	snprintf(count, sizeof(count), "WEFT-COUNTERS-%s", hook);
	if (!walk_is_right(fixture, plan, queue, SOURCE_RULES_NFQUEUE, &packet) ||
	    !walk_is_right(fixture, plan, log, SOURCE_RULES_NFLOG, &packet))
		fail_msg("seed %u: the rules do not say what the filters say", seed);
	for (size_t i = 0; i < fixture->wish.counter_count; i++) {
		snprintf(comment, sizeof(comment), "weft-counter %s", fixture->counters[i].id);
		if (plan_count(plan, count, comment, &packet) !=
		    counter_counts(fixture->counters[i].filter, &packet))
			fail_msg("seed %u: a counter does not count what its filter says", seed);
	}
}

static void packets_end_where_the_filters_say_over_seeds(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		unsigned int random = seed;
		struct rules_plan plans[2];
		struct fixture fixture;

		fixture_draw(&fixture, &random);
		plans[0] = fixture_plan(&fixture, 4);
		plans[1] = fixture_plan(&fixture, 6);
		for (int i = 0; i < PACKETS; i++) {
			unsigned int family = random;
			struct packet packet = packet_draw(&family);

			check_packet(&fixture, &plans[packet.family == 6], &random, seed);
		}
		rules_plan_clear(&plans[0]);
		rules_plan_clear(&plans[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_end_where_the_filters_say_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
