/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Filters to rules: what is printed, and, over seeds, that a packet which walks through the printed rules ends where
 * the filters say. Whether iptables reads the rules so is for tests/netns.
 */
#include "rules_fixture.h"

#include "capture/rules_match.h"

#define TO_QUEUE(ids) " -m comment --comment \"weft " ids "\" -g WEFT-Q-1\n"
#define LOOPBACK_4(target)                                                              \
	"-A WEFT-INPUT -s 127.0.0.0/8 -m comment --comment weft " target "\n" \
	"-A WEFT-INPUT -d 127.0.0.0/8 -m comment --comment weft " target "\n"
#define LOOPBACK_6(target)                                                    \
	"-A WEFT-INPUT -s ::1 -m comment --comment weft " target "\n" \
	"-A WEFT-INPUT -d ::1 -m comment --comment weft " target "\n"

/* A chain of the first sketch, without "-A CHAIN" and what follows the match. */
static void assert_lines(const struct rules_plan *plan, const char *name, const char *matches)
{
	static const char after[] = TO_QUEUE("h1-1");
	char before[64], text[4096] = "";

	snprintf(before, sizeof(before), "-A %s ", name);
	for (const char *line = plan_lines(plan, name); *line; line = strchr(line, '\n') + 1) {
		const char *end = strstr(line, after);

		assert_memory_equal(line, before, strlen(before));
		line += strlen(before) - 1;
		if (strstr(line, " -g WEFT-INPUT-REG") && strchr(line, '\n') > strstr(line, " -g WEFT-INPUT-REG"))
			continue;
		assert_non_null(end);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s\n", (int)(end - line), line);
	}
	assert_string_equal(text, matches);
}

/* What the rules of one filter that includes loopback match; odd: for odd packets, where they have rules. */
static void assert_match_odd(uint8_t family, const char *filter, const char *matches, const char *odd)
{
	struct fixture fixture;
	struct rules_plan plan;

	fixture_init(&fixture);
	fixture_add(&fixture, filter)->filter.include_loopback = true;
	plan = fixture_plan(&fixture, family);
	assert_lines(&plan, odd ? "WEFT-INPUT-REG" : "WEFT-INPUT", matches);
	assert_lines(&plan, "WEFT-INPUT-REG", odd ? matches : "");
	if (odd)
		assert_lines(&plan, "WEFT-INPUT", odd);
	rules_plan_clear(&plan);
}

static void assert_match(uint8_t family, const char *filter, const char *matches)
{
	assert_match_odd(family, filter, matches, NULL);
}

static void an_empty_wish_is_an_empty_plan(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;

	(void)state;
	fixture_init(&fixture);
	fixture_add_endpoint(&fixture, "any", 9338);
	plan = fixture_plan(&fixture, 4);
	assert_int_equal(plan.chain_count, 0);
	assert_int_equal(plan.rule_count, 0);
	assert_int_equal(plan.jumps[RULES_COUNT] | plan.jumps[RULES_LOG] | plan.jumps[RULES_QUEUE], 0);
	rules_plan_clear(&plan);
	rules_plan_clear(&plan);
}

static void names_that_cannot_stand_in_a_rule_are_refused(void **state)
{
	static const char *const names[] = { "a\"b", "a b", "-i", "!x", "a\nb", "a\\b", "#a", "it's" };
	struct filter filter = { .hooks = HOOK_INPUT, .in_dev = "eth0.5", .out_dev = "wg-1+" };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(rule_match_check(&filter, &err), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(filter.out_dev, sizeof(filter.out_dev), "%s", names[i]);
		assert_int_equal(rule_match_check(&filter, &err), -1);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
	}
}

static void addresses_and_protocols(void **state)
{
	(void)state;
	assert_match(4, "INPUT", "\n");
	assert_match(4, "INPUT udp 10.1.0.0/16 10.2.0.9", " -s 10.1.0.0/16 -d 10.2.0.9 -p 17\n");
	assert_match(6, "INPUT udp 10.1.0.0/16 10.2.0.9", "");
	assert_match_odd(6, "INPUT icmpv6 - 2001:db8::/32", " -d 2001:db8::/32 -p 58\n", " -d 2001:db8::/32\n");
	assert_match(4, "INPUT icmpv6", "");
	assert_match(4, "INPUT !udp !10.1.0.0/16", " ! -s 10.1.0.0/16 ! -p 17\n");
	assert_match_odd(6, "INPUT !udp !10.1.0.0/16", " ! -p 17\n", "\n");
	assert_match(6, "INPUT - !0.0.0.0/0", "\n");
	assert_match(4, "INPUT - !0.0.0.0/0", "");
	assert_match(4, "INPUT - 0.0.0.0/0", "\n");
	assert_match(6, "INPUT - 0.0.0.0/0", "");
	assert_match(4, "INPUT 0", " -m u32 --u32 6&0xff=0\n");
	assert_match(4, "INPUT !0", " -m u32 ! --u32 6&0xff=0\n");
	assert_match(6, "INPUT 0", "");
	assert_match(6, "INPUT !0", "\n");
}

#define PORTS_ODD(proto) " -p " proto " ! -f -m u32 --u32 0>>22&0x3C@0=0:0xffffffff"
#define FLAGS_ODD " -m u32 --u32 0>>22&0x3C@10=0:0xffffffff -m u32"

static void ports(void **state)
{
	(void)state;
	assert_match_odd(4, "INPUT tcp - - 80 1000-2000", " -p 6 ! -f -m tcp --sport 80 --dport 1000:2000\n",
			 PORTS_ODD("6") " -m multiport --sports 80 -m multiport --dports 1000:2000\n");
	assert_match_odd(4, "INPUT udp - - - 53,123", " -p 17 ! -f -m multiport --dports 53,123\n",
			 PORTS_ODD("17") " -m multiport --dports 53,123\n");
	assert_match_odd(6, "INPUT sctp - - 5", " -p 132 -m multiport --sports 5\n", "\n");
	assert_match_odd(4, "INPUT udp - - 0-65535", " -p 17 ! -f -m udp --sport 0:65535\n",
			 PORTS_ODD("17") " -m multiport --sports 0:65535\n");
	assert_match_odd(4, "INPUT - - - 53", " -p 6 ! -f -m tcp --sport 53\n -p 17 ! -f -m udp --sport 53\n"
			 " -p 132 ! -f -m multiport --sports 53\n -p 33 ! -f -m multiport --sports 53\n"
			 " -p 136 ! -f -m multiport --sports 53\n",
			 PORTS_ODD("6") " -m multiport --sports 53\n" PORTS_ODD("17") " -m multiport --sports 53\n"
			 PORTS_ODD("132") " -m multiport --sports 53\n" PORTS_ODD("33") " -m multiport --sports 53\n"
			 PORTS_ODD("136") " -m multiport --sports 53\n");
	assert_match_odd(4, "INPUT tcp - - - !80", " -p 6 ! -f -m multiport --dports 0:79,81:65535\n",
			 PORTS_ODD("6") " -m multiport --dports 0:79,81:65535\n");
	assert_match_odd(4, "INPUT udp - - - 1,3,5,7,9,11,13,15,17,19,21,23,25,27,100-200",
			 " -p 17 ! -f -m multiport --dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27\n"
			 " -p 17 ! -f -m udp --dport 100:200\n",
			 PORTS_ODD("17") " -m multiport --dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27\n"
			 PORTS_ODD("17") " -m multiport --dports 100:200\n");
}

static void tcp_flags(void **state)
{
	(void)state;
	assert_match_odd(4, "INPUT - - - - - SYN,ACK/SYN", " -p 6 ! -f -m tcp --tcp-flags SYN,ACK SYN\n",
			 " -p 6 ! -f" FLAGS_ODD " --u32 0>>22&0x3C@10&0x12=0x2\n");
	assert_match_odd(4, "INPUT - - - 80 - !RST/NONE", " -p 6 ! -f -m tcp --sport 80 ! --tcp-flags RST NONE\n",
			 PORTS_ODD("6") " -m multiport --sports 80" FLAGS_ODD " ! --u32 0>>22&0x3C@10&0x4=0x0\n");
	assert_match_odd(4, "INPUT tcp - - 80,90 - FIN",
			 " -p 6 ! -f -m multiport --sports 80,90 -m tcp --tcp-flags FIN FIN\n",
			 PORTS_ODD("6") " -m multiport --sports 80,90" FLAGS_ODD " --u32 0>>22&0x3C@10&0x1=0x1\n");
	assert_match_odd(4, "INPUT - - - - - SYN,CWR/SYN",
			 " -p 6 ! -f -m tcp --tcp-flags SYN SYN -m ecn ! --ecn-tcp-cwr\n",
			 " -p 6 ! -f" FLAGS_ODD " --u32 0>>22&0x3C@10&0x82=0x2\n");
	assert_match_odd(4, "INPUT - - - - - ECE", " -p 6 ! -f -m ecn --ecn-tcp-ece\n",
			 " -p 6 ! -f" FLAGS_ODD " --u32 0>>22&0x3C@10&0x40=0x40\n");
	assert_match_odd(6, "INPUT - - - - - ECE", " -p 6 -m multiport --ports 0:65535 -m ecn --ecn-tcp-ece\n", "\n");
	assert_match_odd(6, "INPUT tcp - - 80 - FIN", " -p 6 -m multiport --sports 80 -m tcp --tcp-flags FIN FIN\n",
			 "\n");
	assert_match_odd(4, "INPUT - - - - - !SYN,ECE,CWR/SYN,ECE",
			 " -p 6 ! -f -m tcp ! --tcp-flags SYN SYN\n"
			 " -p 6 ! -f -m tcp --tcp-flags SYN SYN -m ecn ! --ecn-tcp-ece\n"
			 " -p 6 ! -f -m tcp --tcp-flags SYN SYN -m ecn --ecn-tcp-ece --ecn-tcp-cwr\n",
			 " -p 6 ! -f" FLAGS_ODD " ! --u32 0>>22&0x3C@10&0x2=0x2\n"
			 " -p 6 ! -f" FLAGS_ODD " --u32 0>>22&0x3C@10&0x42=0x2\n"
			 " -p 6 ! -f" FLAGS_ODD " --u32 0>>22&0x3C@10&0xc2=0xc2\n");
}

static void interfaces_stand_where_the_hook_has_them(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;

	(void)state;
	assert_match(4, "INPUT - - - - - - eth+", " -i eth+\n");
	assert_match(4, "INPUT - - - - - - !eth0", " ! -i eth0\n");
	fixture_init(&fixture);
	fixture_add(&fixture, "INPUT,OUTPUT,FORWARD - - - - - - eth0 -");
	plan = fixture_plan(&fixture, 4);
	assert_int_equal(plan.jumps[RULES_QUEUE], HOOK_INPUT | HOOK_FORWARD);
	assert_string_equal(plan_lines(&plan, "WEFT-OUTPUT"), "");
	rules_plan_clear(&plan);
	fixture_init(&fixture);
	fixture_add(&fixture, "INPUT,OUTPUT,FORWARD - - - - - - - !eth0");
	plan = fixture_plan(&fixture, 4);
	assert_int_equal(plan.jumps[RULES_QUEUE], HOOK_OUTPUT | HOOK_FORWARD);
	rules_plan_clear(&plan);
}

static void a_covered_rule_is_left_out_and_named_in_the_other(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;

	(void)state;
	fixture_init(&fixture);
	fixture_add(&fixture, "INPUT udp 10.1.2.3");
	fixture_add(&fixture, "INPUT udp 10.1.0.0/16");
	fixture_add(&fixture, "INPUT udp 10.1.0.0/16");
	fixture_add(&fixture, "INPUT tcp 10.1.0.0/16 10.9.9.9");
	fixture_add(&fixture, "OUTPUT");
	plan = fixture_plan(&fixture, 4);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"), LOOPBACK_4("-j RETURN")
			    "-A WEFT-INPUT -s 10.1.0.0/16 -p 17" TO_QUEUE("h1-1 h1-2 h1-3")
			    "-A WEFT-INPUT -s 10.1.0.0/16 -d 10.9.9.9 -p 6" TO_QUEUE("h1-4"));
	rules_plan_clear(&plan);
	fixture_add(&fixture, "INPUT - - - - - - eth0");
	fixture_add(&fixture, "INPUT - - - - - - e+");
	fixture_add(&fixture, "INPUT tcp - - - 80-90 - e+");
	plan = fixture_plan(&fixture, 6);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"),
			    LOOPBACK_6("-j RETURN") "-A WEFT-INPUT -i e+" TO_QUEUE("h1-6 h1-7 h1-8"));
	rules_plan_clear(&plan);
}

static void a_comment_ends_at_255_bytes(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;
	const char *text, *end;

	(void)state;
	fixture_init(&fixture);
	for (int i = 0; i < 8; i++) {
		struct rules_sketch *sketch = fixture_add(&fixture, "INPUT udp");

		memset(sketch->id, 'a' + i, 60);
	}
	plan = fixture_plan(&fixture, 4);
	text = strchr(plan_lines(&plan, "WEFT-INPUT"), '"') + 1;
	end = strchr(text, '"');
	assert_true(end - text <= 255 && end - text > 180);
	assert_memory_equal(end - 4, " ...", 4);
	assert_null(strstr(text, "eeeee"));
	rules_plan_clear(&plan);
}

static void the_smallest_n_comes_first(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;

	(void)state;
	fixture_init(&fixture);
	fixture_add(&fixture, "INPUT")->filter.sample = 10;
	fixture_add(&fixture, "INPUT udp 10.0.0.1")->filter.sample = 20;
	fixture_add(&fixture, "INPUT udp")->filter.sample = 3;
	fixture_add(&fixture, "INPUT tcp");
	for (int i = 0; i < 4; i++)
		fixture.sketches[i].filter.include_loopback = true;
	plan = fixture_plan(&fixture, 4);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"),
			    "-A WEFT-INPUT -p 6" TO_QUEUE("h1-4")
			    "-A WEFT-INPUT -p 17 -m comment --comment \"weft h1-3 h1-2\" -g WEFT-Q-3\n"
			    "-A WEFT-INPUT -m comment --comment \"weft h1-1\" -g WEFT-Q-10\n");
	assert_string_equal(plan_lines(&plan, "WEFT-Q-1"), "-A WEFT-Q-1 -m comment --comment weft -j NFQUEUE "
			    "--queue-num 7 --queue-bypass\n");
	assert_string_equal(plan_lines(&plan, "WEFT-Q-3"), "-A WEFT-Q-3 -m statistic --mode random --probability "
			    "0.333333333333 -m comment --comment weft -j NFQUEUE --queue-num 7 --queue-bypass\n");
	assert_string_equal(plan_lines(&plan, "WEFT-Q-20"), "");
	assert_int_equal(plan.rule_count, 3 + 3);
	assert_int_equal(plan.chain_count, 1 + 3);
	rules_plan_clear(&plan);
}

static void the_log_has_chains_of_its_own(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;

	(void)state;
	fixture_init(&fixture);
	fixture_add(&fixture, "INPUT udp");
	fixture_add(&fixture, "INPUT,OUTPUT tcp")->target = SOURCE_RULES_NFLOG;
	fixture.sketches[1].filter.include_loopback = true;
	plan = fixture_plan(&fixture, 4);
	assert_int_equal(plan.jumps[RULES_QUEUE], HOOK_INPUT);
	assert_int_equal(plan.jumps[RULES_LOG], HOOK_INPUT | HOOK_OUTPUT);
	assert_string_equal(plan_lines(&plan, "WEFT-LOG-INPUT"),
			    "-A WEFT-LOG-INPUT -p 6 -m comment --comment \"weft h1-2\" -g WEFT-L-1\n");
	assert_string_equal(plan_lines(&plan, "WEFT-L-1"), "-A WEFT-L-1 -m comment --comment weft -j NFLOG "
			    "--nflog-group 7 --nflog-size 128 --nflog-threshold 32\n");
	rules_plan_clear(&plan);
}

#define FABRIC(chain, option, target) \
	"-A " chain " -p 6 ! -f -m tcp " option " 9338 -m comment --comment weft " target "\n"
#define BOTH_WAYS(chain, target) FABRIC(chain, "--sport", target) FABRIC(chain, "--dport", target)
#define REGULAR(chain) "-A " chain " -m bpf --bytecode REGULAR -m comment --comment weft -g " chain "-REG\n"
#define GATE(chain, match) "-A " chain "-REG -p 6 " match " -m comment --comment weft -g " chain "-ENDS\n"
#define GATE_4(chain) GATE(chain, "! -f -m multiport --ports 9338")

static void each_class_has_the_rules_of_those_that_include_it(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;

	(void)state;
	fixture_init(&fixture);
	fixture_add_endpoint(&fixture, "any", 9338);
	fixture_add_endpoint(&fixture, "10.0.0.1", 9338);
	fixture_add(&fixture, "INPUT udp");
	plan = fixture_plan(&fixture, 4);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"), LOOPBACK_4("-j RETURN") REGULAR("WEFT-INPUT")
			    "-A WEFT-INPUT -p 17" TO_QUEUE("h1-1"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-REG"), GATE_4("WEFT-INPUT")
			    "-A WEFT-INPUT-REG -p 17" TO_QUEUE("h1-1"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-ENDS"), BOTH_WAYS("WEFT-INPUT-ENDS", "-j RETURN")
			    "-A WEFT-INPUT-ENDS -p 17" TO_QUEUE("h1-1"));
	assert_int_equal(plan.chain_count, 4);
	rules_plan_clear(&plan);
	fixture_add(&fixture, "INPUT tcp")->filter.include_fabric = true;
	fixture_add(&fixture, "INPUT icmp")->filter.include_loopback = true;
	plan = fixture_plan(&fixture, 4);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"), LOOPBACK_4("-g WEFT-INPUT-LO") REGULAR("WEFT-INPUT")
			    "-A WEFT-INPUT -p 17" TO_QUEUE("h1-1") "-A WEFT-INPUT -p 6" TO_QUEUE("h1-2")
			    "-A WEFT-INPUT -p 1" TO_QUEUE("h1-3"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-ENDS"),
			    BOTH_WAYS("WEFT-INPUT-ENDS", "-g WEFT-INPUT-FAB")
			    "-A WEFT-INPUT-ENDS -p 17" TO_QUEUE("h1-1") "-A WEFT-INPUT-ENDS -p 6" TO_QUEUE("h1-2")
			    "-A WEFT-INPUT-ENDS -p 1" TO_QUEUE("h1-3"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-FAB"), "-A WEFT-INPUT-FAB -p 6" TO_QUEUE("h1-2"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-LO"), REGULAR("WEFT-INPUT-LO")
			    "-A WEFT-INPUT-LO -p 1" TO_QUEUE("h1-3"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-LO-REG"), GATE_4("WEFT-INPUT-LO")
			    "-A WEFT-INPUT-LO-REG -p 1" TO_QUEUE("h1-3"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-LO-ENDS"), BOTH_WAYS("WEFT-INPUT-LO-ENDS", "-j RETURN")
			    "-A WEFT-INPUT-LO-ENDS -p 1" TO_QUEUE("h1-3"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-BOTH"), "");
	rules_plan_clear(&plan);
	fixture.sketches[1].filter.include_loopback = true;
	plan = fixture_plan(&fixture, 4);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-LO-ENDS"),
			    BOTH_WAYS("WEFT-INPUT-LO-ENDS", "-g WEFT-INPUT-BOTH")
			    "-A WEFT-INPUT-LO-ENDS -p 6" TO_QUEUE("h1-2")
			    "-A WEFT-INPUT-LO-ENDS -p 1" TO_QUEUE("h1-3"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-BOTH"), "-A WEFT-INPUT-BOTH -p 6" TO_QUEUE("h1-2"));
	rules_plan_clear(&plan);
}

static void the_gate_has_the_ports_of_all_endpoints(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;

	(void)state;
	fixture_init(&fixture);
	fixture_add(&fixture, "INPUT")->filter.include_loopback = true;
	fixture_add_endpoint(&fixture, "10.0.0.1", 9338);
	fixture_add_endpoint(&fixture, "10.0.0.2", 9338);
	fixture_add_endpoint(&fixture, "fd00::2", 5);
	fixture_add_endpoint(&fixture, "any", 7);
	plan = fixture_plan(&fixture, 4);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-REG"),
			    GATE("WEFT-INPUT", "! -f -m multiport --ports 7,9338")
			    "-A WEFT-INPUT-REG" TO_QUEUE("h1-1"));
	rules_plan_clear(&plan);
	plan = fixture_plan(&fixture, 6);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-REG"), GATE("WEFT-INPUT", "-m multiport --ports 5,7")
			    "-A WEFT-INPUT-REG" TO_QUEUE("h1-1"));
	rules_plan_clear(&plan);
	for (uint16_t i = 0; fixture.wish.fabric.count < FIXTURE_ROOM; i++)
		fixture_add_endpoint(&fixture, "10.0.0.3", (uint16_t)(1000 + i));
	plan = fixture_plan(&fixture, 4);
	assert_non_null(strstr(plan_lines(&plan, "WEFT-INPUT-REG"), "--ports 7,1000,1001,"));
	rules_plan_clear(&plan);
	fixture.endpoints[0].port = 9339;
	fixture.endpoints[2].addr = (struct prefix){ 0 };
	plan = fixture_plan(&fixture, 4);
	assert_non_null(strstr(plan_lines(&plan, "WEFT-INPUT-REG"), " -m multiport --ports 5:9339 "));
	rules_plan_clear(&plan);
}

static void a_class_that_all_include_is_not_told_apart(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;

	(void)state;
	fixture_init(&fixture);
	fixture_add_endpoint(&fixture, "fd00::1", 9338);
	fixture_add(&fixture, "INPUT udp")->filter.include_loopback = true;
	fixture_add(&fixture, "INPUT tcp")->filter.include_loopback = true;
	plan = fixture_plan(&fixture, 4);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"),
			    "-A WEFT-INPUT -p 17" TO_QUEUE("h1-1") "-A WEFT-INPUT -p 6" TO_QUEUE("h1-2"));
	rules_plan_clear(&plan);
	fixture.sketches[0].filter.include_fabric = fixture.sketches[1].filter.include_fabric = true;
	fixture.sketches[0].filter.include_loopback = false;
	plan = fixture_plan(&fixture, 6);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"), LOOPBACK_6("-g WEFT-INPUT-LO") REGULAR("WEFT-INPUT")
			    "-A WEFT-INPUT" TO_QUEUE("h1-1 h1-2"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-REG"), "-A WEFT-INPUT-REG -p 17" TO_QUEUE("h1-1")
			    "-A WEFT-INPUT-REG -p 6" TO_QUEUE("h1-2"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-LO"), REGULAR("WEFT-INPUT-LO")
			    "-A WEFT-INPUT-LO" TO_QUEUE("h1-2"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-LO-REG"), "-A WEFT-INPUT-LO-REG -p 6" TO_QUEUE("h1-2"));
	assert_int_equal(plan.chain_count, 5);
	rules_plan_clear(&plan);
}

static void counters_have_rules_without_a_target(void **state)
{
	static const char rule[] = " -s 10.0.0.0/8 -p 17 -m comment --comment \"weft-counter c1\"\n";
	struct fixture fixture;
	struct rules_plan plan;
	char lines[256];

	(void)state;
	fixture_init(&fixture);
	fixture_add_counter(&fixture, "c1", "INPUT,OUTPUT udp 10.0.0.0/8");
	fixture_add_counter(&fixture, "c2", "INPUT - - - - 53");
	plan = fixture_plan(&fixture, 4);
	assert_int_equal(plan.jumps[RULES_COUNT], HOOK_INPUT | HOOK_OUTPUT);
	assert_int_equal(plan.jumps[RULES_QUEUE], 0);
	assert_int_equal(plan.rule_count, 2 * (2 + 5) + 2 * 2);
	snprintf(lines, sizeof(lines), "-A WEFT-COUNT-OUTPUT%s", rule);
	assert_string_equal(plan_lines(&plan, "WEFT-COUNT-OUTPUT"), lines);
	snprintf(lines, sizeof(lines), "-A WEFT-COUNT-OUTPUT-ODD%s", rule);
	assert_string_equal(plan_lines(&plan, "WEFT-COUNT-OUTPUT-ODD"), lines);
	assert_string_equal(plan_lines(&plan, "WEFT-COUNTERS-OUTPUT"),
			    "-A WEFT-COUNTERS-OUTPUT -m bpf --bytecode REGULAR -m comment --comment weft -g "
			    "WEFT-COUNT-OUTPUT\n"
			    "-A WEFT-COUNTERS-OUTPUT -m comment --comment weft -g WEFT-COUNT-OUTPUT-ODD\n");
	rules_plan_clear(&plan);
	plan = fixture_plan(&fixture, 6);
	assert_int_equal(plan.jumps[RULES_COUNT], HOOK_INPUT);
	assert_string_equal(plan_lines(&plan, "WEFT-COUNT-INPUT-ODD"), "");
	assert_int_equal(plan.rule_count, 5 + 1);
	rules_plan_clear(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_wish_is_an_empty_plan),
		cmocka_unit_test(names_that_cannot_stand_in_a_rule_are_refused),
		cmocka_unit_test(addresses_and_protocols),
		cmocka_unit_test(ports),
		cmocka_unit_test(tcp_flags),
		cmocka_unit_test(interfaces_stand_where_the_hook_has_them),
		cmocka_unit_test(a_covered_rule_is_left_out_and_named_in_the_other),
		cmocka_unit_test(a_comment_ends_at_255_bytes),
		cmocka_unit_test(the_smallest_n_comes_first),
		cmocka_unit_test(the_log_has_chains_of_its_own),
		cmocka_unit_test(each_class_has_the_rules_of_those_that_include_it),
		cmocka_unit_test(the_gate_has_the_ports_of_all_endpoints),
		cmocka_unit_test(a_class_that_all_include_is_not_told_apart),
		cmocka_unit_test(counters_have_rules_without_a_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
