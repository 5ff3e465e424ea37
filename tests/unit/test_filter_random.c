/* SPDX-License-Identifier: MPL-2.0 */
/*
 * filter: random filters over seeds. Each is judged by a second, plain evaluation of what was wished, bit by bit and
 * port by port; a filter that is refused must be one that no packet matches.
 */
#include "filter_fixture.h"

#define SEEDS 3000
#define PACKETS 40
#define PORT_ITEMS 4

/* What a filter is to say, as it was rolled; a part with an empty text is not there. */
struct wish {
	uint8_t hooks;
	int proto; /* -1: any */
	bool not_proto;
	struct wish_address {
		bool is_given, is_not;
		uint8_t family, bits, addr[16];
	} src, dst;
	struct wish_ports {
		unsigned int count;
		bool is_not;
		uint16_t first[PORT_ITEMS], last[PORT_ITEMS];
	} sport, dport;
	uint8_t mask, set;
	bool not_tcp;
	const char *in, *out; /* NULL: any */
	bool not_in, not_out;
	char texts[FILTER_FIELDS][FILTER_TEXT_MAX];
};

static uint32_t roll(uint64_t *random, uint32_t sides)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*random >> 33) % sides;
}

static uint16_t roll_port(uint64_t *random)
{
	static const uint16_t common[] = { 0, 1, 22, 79, 80, 81, 443, 8000, 65534, 65535 };

	return common[roll(random, sizeof(common) / sizeof(common[0]))];
}

/* Few different addresses, so that filters match now and then. */
static void roll_address(uint64_t *random, uint8_t family, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (family == 4) {
		memcpy(addr, (uint8_t[]){ (uint8_t)(roll(random, 9) ? 10 : 127), 0, (uint8_t)roll(random, 2),
					  (uint8_t)roll(random, 3) }, 4);
	} else if (roll(random, 9)) {
		addr[0] = 0xfd;
		addr[7] = (uint8_t)roll(random, 2);
		addr[15] = (uint8_t)roll(random, 3);
	} else {
		addr[15] = 1;
	}
}

static void wish_address(uint64_t *random, struct wish_address *wish, char *text)
{
	static const uint8_t lengths4[] = { 0, 1, 8, 23, 31, 32 }, lengths6[] = { 0, 7, 8, 63, 64, 65, 127, 128 };
	unsigned int host;

	wish->is_given = roll(random, 3) == 0;
	if (!wish->is_given)
		return;
	wish->is_not = roll(random, 3) == 0;
	wish->family = roll(random, 2) ? 4 : 6;
	wish->bits = wish->family == 4 ? lengths4[roll(random, 6)] : lengths6[roll(random, 8)];
	roll_address(random, wish->family, wish->addr);
	for (host = wish->bits; host < 128; host++)
		wish->addr[host / 8] &= (uint8_t)~(0x80 >> host % 8);
	if (wish->is_not)
		*text++ = '!';
	inet_ntop(wish->family == 4 ? AF_INET : AF_INET6, wish->addr, text, 64);
	sprintf(text + strlen(text), "/%u", wish->bits);
}

static void wish_ports(uint64_t *random, struct wish_ports *wish, char *text)
{
	wish->count = roll(random, 3) ? 0 : 1 + roll(random, PORT_ITEMS);
	wish->is_not = wish->count && roll(random, 2);
	text += sprintf(text, "%s", wish->is_not ? "!" : "");
	for (unsigned int i = 0; i < wish->count; i++) {
		uint16_t a = roll_port(random), b = roll(random, 2) ? a : roll_port(random);

		wish->first[i] = a < b ? a : b;
		wish->last[i] = a < b ? b : a;
		text += sprintf(text, "%s%u-%u", i ? "," : "", wish->first[i], wish->last[i]);
	}
}

static void wish_tcp(uint64_t *random, struct wish *wish)
{
	static const char *const names[] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR" };
	char *text = wish->texts[FILTER_TCP_FLAGS];

	if (roll(random, 3))
		return;
	wish->mask = (uint8_t)(1 + roll(random, 255));
	wish->set = (uint8_t)(wish->mask & roll(random, 256));
	wish->not_tcp = roll(random, 2);
	text += sprintf(text, "%s", wish->not_tcp ? "!" : "");
	for (unsigned int bit = 0, first = 1; bit < 8; bit++)
		if (wish->mask >> bit & 1) {
			text += sprintf(text, "%s%s", first ? "" : ",", names[bit]);
			first = 0;
		}
	text += sprintf(text, "/%s", wish->set ? "" : "NONE");
	for (unsigned int bit = 0, first = 1; bit < 8; bit++)
		if (wish->set >> bit & 1) {
			text += sprintf(text, "%s%s", first ? "" : ",", names[bit]);
			first = 0;
		}
}

static void wish_device(uint64_t *random, const char **name, bool *is_not, char *text)
{
	static const char *const names[] = { "eth0", "eth1", "eth+", "e+", "lo" };

	*name = roll(random, 4) ? NULL : names[roll(random, 5)];
	*is_not = *name && roll(random, 2);
	if (*name)
		sprintf(text, "%s%s", *is_not ? "!" : "", *name);
}

static void wish_make(uint64_t *random, struct wish *wish)
{
	static const int protos[] = { 6, 17, 1, 58, 132, 47, 60, 0 };
	char *text = wish->texts[FILTER_INTERFACE];

	memset(wish, 0, sizeof(*wish));
	wish->hooks = (uint8_t)(1 + roll(random, 7));
	for (uint8_t hook = 1; hook <= 4; hook = (uint8_t)(hook * 2))
		if (wish->hooks & hook)
			text += sprintf(text, "%s%s", wish->hooks & (hook - 1) ? "," : "", filter_hook_name(hook));
	wish_address(random, &wish->src, wish->texts[FILTER_SRC]);
	wish_address(random, &wish->dst, wish->texts[FILTER_DST]);
	wish_ports(random, &wish->sport, wish->texts[FILTER_SPORT]);
	wish_ports(random, &wish->dport, wish->texts[FILTER_DPORT]);
	wish_tcp(random, wish);
	wish_device(random, &wish->in, &wish->not_in, wish->texts[FILTER_IN_INTERFACE]);
	wish_device(random, &wish->out, &wish->not_out, wish->texts[FILTER_OUT_INTERFACE]);
	wish->proto = wish->mask ? 6 : -1;
	if (roll(random, 2) == 0 && !wish->mask) {
		wish->proto = protos[roll(random, 8)];
		wish->not_proto = roll(random, 2);
		sprintf(wish->texts[FILTER_PROTO], "%s%d", wish->not_proto ? "!" : "", wish->proto);
	}
}

static void packet_roll(uint64_t *random, struct packet *packet)
{
	static const uint8_t protos[] = { 6, 6, 6, 17, 17, 1, 58, 132, 47, 60, 0 };
	static const char *const devices[] = { "eth0", "eth1", "e", "lo" };

	memset(packet, 0, sizeof(*packet));
	packet->family = roll(random, 2) ? 4 : 6;
	packet->proto = protos[roll(random, 11)];
	packet->hook = (uint8_t)(1 << roll(random, 3));
	roll_address(random, packet->family, packet->src);
	roll_address(random, packet->family, packet->dst);
	if (packet->family == 6 && packet_is_extension(packet->proto))
		packet->flags |= PACKET_NO_PROTO;
	if (!packet_has_ports(packet->proto) || roll(random, 8) == 0)
		packet->flags |= PACKET_NO_PORTS;
	if (!(packet->flags & PACKET_NO_PORTS)) {
		packet->sport = roll_port(random);
		packet->dport = roll_port(random);
		if (packet->proto == 6 && roll(random, 8) == 0)
			packet->flags |= PACKET_NO_TCP_FLAGS;
		else if (packet->proto == 6)
			packet->tcp_flags = (uint8_t)roll(random, 256);
	}
	if (packet->hook != HOOK_OUTPUT)
		packet->in_dev = devices[roll(random, 4)];
	if (packet->hook != HOOK_INPUT)
		packet->out_dev = devices[roll(random, 4)];
}

static bool judge_address(const struct wish_address *wish, uint8_t family, const uint8_t addr[16])
{
	bool is_in = wish->family == family;

	for (unsigned int bit = 0; bit < wish->bits; bit++)
		is_in &= !((wish->addr[bit / 8] ^ addr[bit / 8]) & 0x80 >> bit % 8);
	return !wish->is_given || is_in != wish->is_not;
}

static bool judge_ports(const struct wish_ports *wish, const struct packet *packet, uint16_t port)
{
	bool is_in = false;

	for (unsigned int i = 0; i < wish->count; i++)
		is_in |= port >= wish->first[i] && port <= wish->last[i];
	return wish->count == 0 || (!(packet->flags & PACKET_NO_PORTS) && is_in != wish->is_not);
}

static bool judge_device(const char *name, bool is_not, const char *device)
{
	size_t len = name ? strlen(name) : 0;
	bool is_in;

	if (!name)
		return true;
	if (!device)
		return false;
	is_in = name[len - 1] == '+' ? strlen(device) >= len - 1 && memcmp(name, device, len - 1) == 0
				     : strcmp(name, device) == 0;
	return is_in != is_not;
}

/* IPv4's protocols of the list are 1, 0 and 60, IPv6's 58. */
static bool judge_proto(const struct wish *wish, const struct packet *packet)
{
	if (wish->proto < 0)
		return true;
	if (packet->flags & PACKET_NO_PROTO)
		return false;
	if (wish->not_proto)
		return packet->proto != wish->proto;
	if (wish->proto == 1 || wish->proto == 0 || wish->proto == 60)
		return packet->family == 4 && packet->proto == wish->proto;
	return packet->proto == wish->proto && (wish->proto != 58 || packet->family == 6);
}

static bool judge(const struct wish *wish, const struct packet *packet)
{
	static const uint8_t one[16] = { [15] = 1 };
	bool is_loopback = packet->family == 4 ? packet->src[0] == 127 || packet->dst[0] == 127
					       : !memcmp(packet->src, one, 16) || !memcmp(packet->dst, one, 16);
	bool has_flags = packet->proto == 6 && !(packet->flags & (PACKET_NO_PORTS | PACKET_NO_TCP_FLAGS));
	bool is_flagged = (packet->tcp_flags & wish->mask) == wish->set;

	return (wish->hooks & packet->hook) && judge_proto(wish, packet) && !is_loopback &&
	       judge_address(&wish->src, packet->family, packet->src) &&
	       judge_address(&wish->dst, packet->family, packet->dst) &&
	       judge_ports(&wish->sport, packet, packet->sport) && judge_ports(&wish->dport, packet, packet->dport) &&
	       (!wish->mask || (has_flags && is_flagged != wish->not_tcp)) &&
	       judge_device(wish->in, wish->not_in, packet->in_dev) &&
	       judge_device(wish->out, wish->not_out, packet->out_dev);
}

static int wish_read(const struct wish *wish, struct filter *filter, struct error *err)
{
	const char *texts[FILTER_FIELDS];

	for (unsigned int i = 0; i < FILTER_FIELDS; i++)
		texts[i] = wish->texts[i];
	return filter_read(filter, texts, err);
}

static void test_each_matches_what_was_wished(void **state)
{
	unsigned int read = 0, matches = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		uint64_t random = seed * 0x9e3779b97f4a7c15ULL;
		struct error err = { 0 };
		struct filter filter;
		struct packet packet;
		struct wish wish;
		bool is_read;

		wish_make(&random, &wish);
		is_read = wish_read(&wish, &filter, &err) == 0;
		read += is_read;
		for (unsigned int i = 0; i < PACKETS; i++) {
			packet_roll(&random, &packet);
			if (!is_read && judge(&wish, &packet))
				fail_msg("seed %u, packet %u: refused: %s", seed, i, err.text);
			if (is_read && filter_match(&filter, &packet, NULL) != judge(&wish, &packet))
				fail_msg("seed %u, packet %u: match %d", seed, i, !judge(&wish, &packet));
			matches += judge(&wish, &packet);
		}
	}
	assert_true(read > SEEDS / 4 && matches > SEEDS);	/* the test looks at something */
}

static void test_each_is_read_as_it_is_printed(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		uint64_t random = seed * 0x9e3779b97f4a7c15ULL;
		char printed[FILTER_FIELDS][FILTER_TEXT_MAX], again[FILTER_TEXT_MAX];
		const char *texts[FILTER_FIELDS];
		struct filter filter, second;
		struct error err = { 0 };
		struct wish wish;

		wish_make(&random, &wish);
		if (wish_read(&wish, &filter, NULL) < 0)
			continue;
		for (unsigned int i = 0; i < FILTER_FIELDS; i++) {
			filter_print(&filter, i, printed[i]);
			texts[i] = printed[i];
		}
		if (filter_read(&second, texts, &err) < 0 || !filter_equal(&filter, &second))
			fail_msg("seed %u: %s", seed, err.text);
		for (unsigned int i = 0; i < FILTER_FIELDS; i++) {
			filter_print(&second, i, again);
			assert_string_equal(again, printed[i]);
		}
	}
}

/* A field alone and its negation: never both, and one of them wherever the packet has what the field is about. */
static void test_a_negation_is_the_rest(void **state)
{
	static const struct {
		enum filter_field field;
		const char *text;
		uint8_t without; /* packets with one of these flags match neither */
	} fields[] = {
		{ FILTER_PROTO, "tcp", PACKET_NO_PROTO },      { FILTER_PROTO, "47", PACKET_NO_PROTO },
		{ FILTER_SRC, "10.0.0.0/24", 0 },	       { FILTER_DST, "fd00::/64", 0 },
		{ FILTER_SPORT, "22,80-443", PACKET_NO_PORTS }, { FILTER_DPORT, "1-65535", PACKET_NO_PORTS },
		{ FILTER_TCP_FLAGS, "SYN,ACK/SYN", PACKET_NO_PORTS | PACKET_NO_TCP_FLAGS },
		{ FILTER_IN_INTERFACE, "eth+", 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < SEEDS * 8; i++) {
		uint64_t random = (i + 1) * 0x9e3779b97f4a7c15ULL;
		const char *texts[FILTER_FIELDS] = { "INPUT" };
		char negation[FILTER_TEXT_MAX] = "!";
		struct filter is, is_not;
		struct packet packet;
		bool is_about;

		packet_roll(&random, &packet);
		packet.hook = HOOK_INPUT;
		packet.in_dev = "eth1";
		is_about = !(packet.flags & fields[i % 8].without) &&
			   (fields[i % 8].field != FILTER_TCP_FLAGS || packet.proto == 6);
		texts[fields[i % 8].field] = fields[i % 8].text;
		is = filter_of(texts);
		texts[fields[i % 8].field] = strcat(negation, fields[i % 8].text);
		is_not = filter_of(texts);
		is.include_loopback = is_not.include_loopback = true;
		assert_int_equal(filter_match(&is, &packet, NULL) + filter_match(&is_not, &packet, NULL), is_about);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_matches_what_was_wished),
		cmocka_unit_test(test_each_is_read_as_it_is_printed),
		cmocka_unit_test(test_a_negation_is_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
