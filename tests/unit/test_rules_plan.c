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

/* The WEFT-INPUT chain of one filter that includes loopback, without "-A WEFT-INPUT" and what follows the match. */
static void assert_match(uint8_t family, const char *filter, const char *matches)
{
	static const char before[] = "-A WEFT-INPUT", after[] = TO_QUEUE("h1-1");
	struct fixture fixture;
	struct rules_plan plan;
	char text[4096] = "";
	const char *line;

	fixture_init(&fixture);
	fixture_add(&fixture, filter)->filter.include_loopback = true;
	plan = fixture_plan(&fixture, family);
	for (line = plan_lines(&plan, "WEFT-INPUT"); *line; line = strchr(line, '\n') + 1) {
		const char *end = strstr(line, after);

		assert_memory_equal(line, before, strlen(before));
		assert_non_null(end);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s\n",
			 (int)(end - line - (long)strlen(before)), line + strlen(before));
	}
	assert_string_equal(text, matches);
	rules_plan_clear(&plan);
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
	assert_match(6, "INPUT icmpv6 - 2001:db8::/32", " -d 2001:db8::/32 -p 58\n");
	assert_match(4, "INPUT icmpv6", "");
	assert_match(4, "INPUT !udp !10.1.0.0/16", " ! -s 10.1.0.0/16 ! -p 17\n");
	assert_match(6, "INPUT !udp !10.1.0.0/16", " ! -p 17\n");
	assert_match(6, "INPUT - !0.0.0.0/0", "\n");
	assert_match(4, "INPUT - !0.0.0.0/0", "");
	assert_match(4, "INPUT - 0.0.0.0/0", "\n");
	assert_match(6, "INPUT - 0.0.0.0/0", "");
	assert_match(4, "INPUT 0", " -m u32 --u32 6&0xff=0\n");
	assert_match(4, "INPUT !0", " -m u32 ! --u32 6&0xff=0\n");
	assert_match(6, "INPUT 0", "");
	assert_match(6, "INPUT !0", "\n");
}

static void ports_and_flags(void **state)
{
	(void)state;
	assert_match(4, "INPUT tcp - - 80 1000-2000", " -p 6 ! -f -m tcp --sport 80 --dport 1000:2000\n");
	assert_match(4, "INPUT udp - - - 53,123", " -p 17 ! -f -m multiport --dports 53,123\n");
	assert_match(6, "INPUT sctp - - 5", " -p 132 -m multiport --sports 5\n");
	assert_match(4, "INPUT udp - - 0-65535", " -p 17 ! -f -m udp --sport 0:65535\n");
	assert_match(4, "INPUT - - - 53", " -p 6 ! -f -m tcp --sport 53\n -p 17 ! -f -m udp --sport 53\n"
		     " -p 132 ! -f -m multiport --sports 53\n -p 33 ! -f -m multiport --sports 53\n"
		     " -p 136 ! -f -m multiport --sports 53\n");
	assert_match(4, "INPUT !udp - - 53", " -p 6 ! -f -m tcp --sport 53\n -p 132 ! -f -m multiport --sports 53\n"
		     " -p 33 ! -f -m multiport --sports 53\n -p 136 ! -f -m multiport --sports 53\n");
	assert_match(4, "INPUT tcp - - - !80", " -p 6 ! -f -m multiport --dports 0:79,81:65535\n");
	assert_match(4, "INPUT udp - - - 1,3,5,7,9,11,13,15,17,19,21,23,25,27,100-200",
		     " -p 17 ! -f -m multiport --dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27\n"
		     " -p 17 ! -f -m udp --dport 100:200\n");
	assert_match(4, "INPUT - - - - - SYN,ACK/SYN", " -p 6 ! -f -m tcp --tcp-flags SYN,ACK SYN\n");
	assert_match(4, "INPUT - - - 80 - !RST/NONE", " -p 6 ! -f -m tcp --sport 80 ! --tcp-flags RST NONE\n");
	assert_match(4, "INPUT tcp - - 80,90 - FIN",
		     " -p 6 ! -f -m multiport --sports 80,90 -m tcp --tcp-flags FIN FIN\n");
	assert_match(4, "INPUT - - - - - SYN,CWR/SYN",
		     " -p 6 ! -f -m tcp --tcp-flags SYN SYN -m ecn ! --ecn-tcp-cwr\n");
	assert_match(4, "INPUT - - - - - ECE", " -p 6 ! -f -m ecn --ecn-tcp-ece\n");
	assert_match(6, "INPUT - - - - - ECE", " -p 6 -m multiport --ports 0:65535 -m ecn --ecn-tcp-ece\n");
	assert_match(6, "INPUT tcp - - 80 - FIN", " -p 6 -m multiport --sports 80 -m tcp --tcp-flags FIN FIN\n");
	assert_match(6, "INPUT - - - - - FIN", " -p 6 -m multiport --ports 0:65535 -m tcp --tcp-flags FIN FIN\n");
	assert_match(4, "INPUT - - - - - !SYN,ECE,CWR/SYN,ECE",
		     " -p 6 ! -f -m tcp ! --tcp-flags SYN SYN\n"
		     " -p 6 ! -f -m tcp --tcp-flags SYN SYN -m ecn ! --ecn-tcp-ece\n"
		     " -p 6 ! -f -m tcp --tcp-flags SYN SYN -m ecn --ecn-tcp-ece --ecn-tcp-cwr\n");
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
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"), LOOPBACK_4("-j RETURN")
			    BOTH_WAYS("WEFT-INPUT", "-j RETURN") "-A WEFT-INPUT -p 17" TO_QUEUE("h1-1"));
	assert_int_equal(plan.chain_count, 2);
	rules_plan_clear(&plan);
	fixture_add(&fixture, "INPUT tcp")->filter.include_fabric = true;
	fixture_add(&fixture, "INPUT icmp")->filter.include_loopback = true;
	plan = fixture_plan(&fixture, 4);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"), LOOPBACK_4("-g WEFT-INPUT-LO")
			    BOTH_WAYS("WEFT-INPUT", "-g WEFT-INPUT-FAB") "-A WEFT-INPUT -p 17" TO_QUEUE("h1-1")
			    "-A WEFT-INPUT -p 6" TO_QUEUE("h1-2") "-A WEFT-INPUT -p 1" TO_QUEUE("h1-3"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-FAB"), "-A WEFT-INPUT-FAB -p 6" TO_QUEUE("h1-2"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-LO"), BOTH_WAYS("WEFT-INPUT-LO", "-j RETURN")
			    "-A WEFT-INPUT-LO -p 1" TO_QUEUE("h1-3"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-BOTH"), "");
	rules_plan_clear(&plan);
	fixture.sketches[1].filter.include_loopback = true;
	plan = fixture_plan(&fixture, 4);
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-LO"), BOTH_WAYS("WEFT-INPUT-LO", "-g WEFT-INPUT-BOTH")
			    "-A WEFT-INPUT-LO -p 6" TO_QUEUE("h1-2") "-A WEFT-INPUT-LO -p 1" TO_QUEUE("h1-3"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-BOTH"), "-A WEFT-INPUT-BOTH -p 6" TO_QUEUE("h1-2"));
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
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT"), LOOPBACK_6("-g WEFT-INPUT-LO")
			    "-A WEFT-INPUT -p 17" TO_QUEUE("h1-1") "-A WEFT-INPUT -p 6" TO_QUEUE("h1-2"));
	assert_string_equal(plan_lines(&plan, "WEFT-INPUT-LO"), "-A WEFT-INPUT-LO -p 6" TO_QUEUE("h1-2"));
	assert_int_equal(plan.chain_count, 3);
	rules_plan_clear(&plan);
}

static void counters_have_rules_without_a_target(void **state)
{
	struct fixture fixture;
	struct rules_plan plan;

	(void)state;
	fixture_init(&fixture);
	fixture_add_counter(&fixture, "c1", "INPUT,OUTPUT udp 10.0.0.0/8");
	fixture_add_counter(&fixture, "c2", "INPUT - - - - 53");
	plan = fixture_plan(&fixture, 4);
	assert_int_equal(plan.jumps[RULES_COUNT], HOOK_INPUT | HOOK_OUTPUT);
	assert_int_equal(plan.jumps[RULES_QUEUE], 0);
	assert_int_equal(plan.rule_count, 2 + 5);
	assert_string_equal(plan_lines(&plan, "WEFT-COUNT-OUTPUT"),
			    "-A WEFT-COUNT-OUTPUT -s 10.0.0.0/8 -p 17 -m comment --comment \"weft-counter c1\"\n");
	rules_plan_clear(&plan);
	plan = fixture_plan(&fixture, 6);
	assert_int_equal(plan.jumps[RULES_COUNT], HOOK_INPUT);
	assert_int_equal(plan.rule_count, 5);
	rules_plan_clear(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_wish_is_an_empty_plan),
		cmocka_unit_test(names_that_cannot_stand_in_a_rule_are_refused),
		cmocka_unit_test(addresses_and_protocols),
		cmocka_unit_test(ports_and_flags),
		cmocka_unit_test(interfaces_stand_where_the_hook_has_them),
		cmocka_unit_test(a_covered_rule_is_left_out_and_named_in_the_other),
		cmocka_unit_test(a_comment_ends_at_255_bytes),
		cmocka_unit_test(the_smallest_n_comes_first),
		cmocka_unit_test(the_log_has_chains_of_its_own),
		cmocka_unit_test(each_class_has_the_rules_of_those_that_include_it),
		cmocka_unit_test(a_class_that_all_include_is_not_told_apart),
		cmocka_unit_test(counters_have_rules_without_a_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
