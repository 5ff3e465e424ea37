/* SPDX-License-Identifier: MPL-2.0 */
/* filter_text: what cannot be is refused by name; what is read is printed back. */
#include "filter_fixture.h"

static void refuse_fields(const char *const texts[FILTER_FIELDS], const char *text)
{
	struct filter filter = { .family = 99 };
	struct error err = { 0 };

	if (filter_read(&filter, texts, &err) == 0)
		fail_msg("not refused: %s", text);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" lacks \"%s\"", err.text, text);
	assert_int_equal(filter.family, 99);
}

static void refuse(const char *interface, const char *proto, const char *src, const char *dst, const char *text)
{
	const char *const texts[FILTER_FIELDS] = { interface, proto, src, dst };

	refuse_fields(texts, text);
}

static void test_bad_interfaces_and_protocols_are_refused(void **state)
{
	(void)state;
	refuse(NULL, NULL, NULL, NULL, "interface: missing (INPUT, OUTPUT or FORWARD)");
	refuse("", NULL, NULL, NULL, "interface: missing");
	refuse("FOO", NULL, NULL, NULL, "interface \"FOO\": not a hook (INPUT, OUTPUT or FORWARD)");
	refuse("INPUT ", NULL, NULL, NULL, "not a hook");
	refuse("INPUT", "tcpp", NULL, NULL, "proto \"tcpp\": not a protocol (tcp, udp");
	refuse("INPUT", "256", NULL, NULL, "proto \"256\"");
	refuse("INPUT", "-1", NULL, NULL, "proto \"-1\"");
	refuse("INPUT", "6;reboot", NULL, NULL, "proto \"6;reboot\"");
	refuse("INPUT", " 6", NULL, NULL, "proto \" 6\"");
}

static void test_bad_addresses_are_refused(void **state)
{
	(void)state;
	refuse("INPUT", NULL, "10.0.0", NULL, "src \"10.0.0\": not an IPv4 or IPv6 address");
	refuse("INPUT", NULL, NULL, "host.example", "dst \"host.example\": not an IPv4 or IPv6 address");
	refuse("INPUT", NULL, "10.0.0.1;id", NULL, "src \"10.0.0.1;id\"");
	refuse("INPUT", NULL, "10.0.0.0/33", NULL,
	       "src \"10.0.0.0/33\": the prefix length is not a number from 0 to 32");
	refuse("INPUT", NULL, "fd00::/129", NULL, "from 0 to 128");
	refuse("INPUT", NULL, "10.0.0.0/", NULL, "prefix length");
	refuse("INPUT", NULL, "10.0.0.0/8/8", NULL, "prefix length");
	refuse("INPUT", NULL, "/8", NULL, "not an IPv4");
	refuse("INPUT", NULL, "10.0.0.1/8", NULL, "src \"10.0.0.1/8\": bits beyond the prefix are set (10.0.0.0/8?)");
	refuse("INPUT", NULL, NULL, "fd00::1/64", "(fd00::/64?)");
	refuse("INPUT", NULL, "fe80::1%eth0", NULL, "src");
	refuse("INPUT", NULL, "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee", NULL, "src");
}

static void test_parts_that_exclude_one_another_are_refused(void **state)
{
	(void)state;
	refuse("INPUT", NULL, "10.0.0.1", "fd00::1", "dst \"fd00::1\": IPv6, but src \"10.0.0.1\" is IPv4");
	refuse("INPUT", "icmp", "fd00::1", NULL, "proto \"icmp\": IPv4's, but src \"fd00::1\" is IPv6 (use icmpv6)");
	refuse("INPUT", "icmp", NULL, "fd00::/8", "but dst \"fd00::/8\" is IPv6");
	refuse("INPUT", "icmpv6", "10.0.0.0/8", NULL, "(use icmp)");
	refuse("INPUT", "58", "10.0.0.1", NULL, "proto \"icmpv6\": IPv6's");
	refuse("INPUT", "tcp", "fd00::/8", "0.0.0.0/0", "no packet has both");
}

static void test_bad_ports_are_refused(void **state)
{
	static const char *const bad[] = { "80-", "-80", "-", ",", "80,", ",80", "80,,90", "8o", " 80", "80 ", "65536",
					   "100000", "080000", "80-90-100", "80;id", "any", "!", "!!80", "0x50", "+80",
					   "99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse_fields(ON("INPUT", [FILTER_SPORT] = bad[i]), "not a list of ports from 0 to 65535");
	refuse_fields(ON("INPUT", [FILTER_DPORT] = "90-80"), "dport \"90-80\": the range 90-80 ends before it begins");
	refuse_fields(ON("INPUT", [FILTER_DPORT] = "1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31"), "more than 15");
	refuse_fields(ON("INPUT", [FILTER_SPORT] = "!0-65535"), "sport \"!0-65535\": no port is left");
	refuse_fields(ON("INPUT", [FILTER_SPORT] = "!0-99,50-65535"), "no port is left");
	refuse_fields(ON("INPUT", [FILTER_PROTO] = "icmp", [FILTER_SPORT] = "80"),
		      "sport: proto \"icmp\" has no ports (tcp, udp, sctp, 33 for dccp, 136 for udplite, or any)");
	refuse_fields(ON("INPUT", [FILTER_PROTO] = "gre", [FILTER_DPORT] = "!80"), "dport: proto \"gre\" has no ports");
}

static void test_bad_tcp_flags_are_refused(void **state)
{
	static const char *const bad[] = { "SYM", "SYN/", "/SYN", "SYN,/SYN", "SYN/SYN/SYN", "SYN ACK", "2", "!",
					   "SYN;id/SYN", "SYNACK", "SYN,ACK/FOO", "/" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse_fields(ON("INPUT", [FILTER_TCP_FLAGS] = bad[i]), "not MASK/SET or SET");
	refuse_fields(ON("INPUT", [FILTER_TCP_FLAGS] = "SYN/ACK"), "a flag behind the slash is not among");
	refuse_fields(ON("INPUT", [FILTER_TCP_FLAGS] = "NONE"), "no flag to look at before the slash");
	refuse_fields(ON("INPUT", [FILTER_TCP_FLAGS] = "!NONE/NONE"), "no flag to look at");
	refuse_fields(ON("INPUT", [FILTER_PROTO] = "udp", [FILTER_TCP_FLAGS] = "SYN"),
		      "tcp_flags: proto \"udp\" has none (tcp, or no proto)");
	refuse_fields(ON("INPUT", [FILTER_PROTO] = "!tcp", [FILTER_TCP_FLAGS] = "SYN"), "proto \"!tcp\" has none");
}

static void test_bad_network_interfaces_are_refused(void **state)
{
	static const char *const bad[] = { "!", "!!eth0", "eth 0", "eth0 -j DROP", "eth0\n-A INPUT", "a\"b", "-i",
					   "eth/0", "abcdefghijklmnop", "\xc3\xa9th0", "eth:0", "eth0;id", "..",
					   "`id`" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refuse_fields(ON("INPUT", [FILTER_IN_INTERFACE] = bad[i]), "not the name of a network interface");
		refuse_fields(ON("OUTPUT", [FILTER_OUT_INTERFACE] = bad[i]), "not the name of a network interface");
	}
	refuse_fields(ON("INPUT", [FILTER_IN_INTERFACE] = "!+"), "in_interface \"!+\": no interface is left");
	refuse_fields(ON("OUTPUT", [FILTER_IN_INTERFACE] = "eth0"),
		      "in_interface \"eth0\": packets of OUTPUT come in through none (use out_interface)");
	refuse_fields(ON("INPUT", [FILTER_OUT_INTERFACE] = "!eth0"), "out_interface \"eth0\": packets of INPUT go out");
	refuse_fields(ON("INPUT,OUTPUT", [FILTER_IN_INTERFACE] = "a", [FILTER_OUT_INTERFACE] = "b"),
		      "only packets of FORWARD have both");
}

static void test_negations_that_leave_nothing_are_refused(void **state)
{
	(void)state;
	refuse("!INPUT", NULL, NULL, NULL, "not a hook");
	refuse("INPUT", "!any", NULL, NULL, "proto \"!any\": no protocol is left");
	refuse("INPUT", "!", NULL, NULL, "not a protocol");
	refuse("INPUT", "!!tcp", NULL, NULL, "not a protocol");
	refuse("INPUT", NULL, "!any", NULL, "src \"!any\": no address is left");
	refuse("INPUT", NULL, NULL, "!", "dst \"!\": no address is left");
	refuse("INPUT", NULL, "!!10.0.0.1", NULL, "not an IPv4");
	refuse("INPUT", NULL, "!0.0.0.0/0", "10.0.0.1", "dst \"10.0.0.1\": IPv4, but src \"!0.0.0.0/0\" is IPv6");
	refuse("INPUT", NULL, "!0.0.0.0/0", "!::/0", "no packet has both");
	refuse("INPUT", "icmp", "!0.0.0.0/0", NULL, "proto \"icmp\": IPv4's, but src \"!0.0.0.0/0\" is IPv6");
}

/* A rule of the kernel never sees them as the protocol of an IPv6 packet. */
static void test_extension_headers_are_no_protocols_of_ipv6(void **state)
{
	static const char *const extensions[] = { "0", "43", "44", "51", "60" };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		refuse("INPUT", extensions[i], "fd00::/8", NULL, "name the protocol behind them");
		assert_int_equal(filter_of(ON("INPUT", [FILTER_PROTO] = extensions[i])).family, 4);
	}
	assert_int_equal(filter_of(ON("INPUT", [FILTER_PROTO] = "!51", [FILTER_SRC] = "fd00::/8")).family, 6);
	assert_int_equal(filter_of(ON("INPUT", [FILTER_PROTO] = "135")).family, 0);
	assert_int_equal(filter_of(ON("INPUT", [FILTER_PROTO] = "59")).family, 0);
}

static void test_what_is_given_is_what_is_parsed(void **state)
{
	struct filter filter;
	char text[PREFIX_TEXT_MAX], proto[PROTO_TEXT_MAX];

	(void)state;
	filter = filter_of(ON("input", [FILTER_PROTO] = "TCP", [FILTER_SRC] = "10.0.0.6",
			       [FILTER_DST] = "10.1.0.0/16"));
	assert_int_equal(filter.hooks, HOOK_INPUT);
	assert_int_equal(filter.proto, 6);
	assert_int_equal(filter.family, 4);
	assert_string_equal(prefix_print(&filter.src, text), "10.0.0.6");
	assert_string_equal(prefix_print(&filter.dst, text), "10.1.0.0/16");
	assert_string_equal(filter_proto_print(filter.proto, proto), "tcp");
	filter = filter_of(ON("Forward", [FILTER_PROTO] = "", [FILTER_SRC] = "", [FILTER_DST] = ""));
	assert_int_equal(filter.hooks, HOOK_FORWARD);
	assert_int_equal(filter.family, 0);
	assert_int_equal(filter.proto, -1);
	assert_string_equal(prefix_print(&filter.src, text), "any");
	assert_string_equal(filter_proto_print(filter.proto, proto), "any");
	assert_false(filter.include_fabric || filter.include_loopback);
	filter = filter_of(ON("OUTPUT", [FILTER_PROTO] = "any", [FILTER_SRC] = "any", [FILTER_DST] = "FD00:0:0::/48"));
	assert_int_equal(filter.family, 6);
	assert_string_equal(prefix_print(&filter.dst, text), "fd00::/48");
}

static void test_family_follows_from_any_part(void **state)
{
	struct filter filter;

	(void)state;
	filter = filter_of(ON("INPUT", [FILTER_PROTO] = "icmp"));
	assert_int_equal(filter.family, 4);
	filter = filter_of(ON("INPUT", [FILTER_PROTO] = "1"));
	assert_int_equal(filter.family, 4);
	filter = filter_of(ON("INPUT", [FILTER_PROTO] = "icmpv6", [FILTER_DST] = "fd00::5"));
	assert_int_equal(filter.family, 6);
	filter = filter_of(ON("INPUT", [FILTER_SRC] = "0.0.0.0/0"));
	assert_int_equal(filter.family, 4);
	filter = filter_of(ON("INPUT", [FILTER_PROTO] = "udp", [FILTER_DST] = "::/0"));
	assert_int_equal(filter.family, 6);
}

static void test_protocols_print_as_they_parse(void **state)
{
	(void)state;
	for (int number = -1; number < 256; number++) {
		char text[PROTO_TEXT_MAX];
		struct filter filter;

		filter_proto_print((int16_t)number, text);
		filter = filter_of(ON("INPUT", [FILTER_PROTO] = text));
		assert_int_equal(filter.proto, number);
	}
}

static void test_hook_names(void **state)
{
	(void)state;
	assert_string_equal(filter_hook_name(HOOK_INPUT), "INPUT");
	assert_string_equal(filter_hook_name(HOOK_OUTPUT), "OUTPUT");
	assert_string_equal(filter_hook_name(HOOK_FORWARD), "FORWARD");
}

static void assert_field(const struct filter *filter, enum filter_field field, const char *want)
{
	char text[FILTER_TEXT_MAX];

	assert_int_equal(filter_print(filter, field, text), *want != '\0');
	assert_string_equal(text, want);
}

/* A field, a text of it and how that is printed. */
static const struct printed {
	enum filter_field field;
	const char *text, *print;
} PRINTED[] = {
	{ FILTER_PROTO, "!TCP", "!tcp" },
	{ FILTER_PROTO, "!1", "!icmp" },
	{ FILTER_PROTO, "any", "" },
	{ FILTER_PROTO, "033", "33" },
	{ FILTER_SRC, "!10.0.0.0/8", "!10.0.0.0/8" },
	{ FILTER_SRC, "!FD00::1", "!fd00::1" },
	{ FILTER_DST, "!0.0.0.0/0", "!0.0.0.0/0" },
	{ FILTER_SPORT, "0", "0" },
	{ FILTER_SPORT, "0-65535", "0-65535" },
	{ FILTER_SPORT, "443,80", "80,443" },
	{ FILTER_SPORT, "80,81,79", "79-81" },
	{ FILTER_SPORT, "8000-8100,8050-8200,9000", "8000-8200,9000" },
	{ FILTER_SPORT, "8000-8100,8001,8101-8101", "8000-8101" },
	{ FILTER_DPORT, "!80", "!80" },
	{ FILTER_DPORT, "!0", "!0" },
	{ FILTER_DPORT, "!65535,0-9", "!0-9,65535" },
	{ FILTER_DPORT, "!1,3,5,7,9,11,13,15,17,19,21,23,25,27,29", "!1,3,5,7,9,11,13,15,17,19,21,23,25,27,29" },
	{ FILTER_TCP_FLAGS, "SYN", "SYN/SYN" },
	{ FILTER_TCP_FLAGS, "!syn,ack,fin/syn", "!FIN,SYN,ACK/SYN" },
	{ FILTER_TCP_FLAGS, "ALL/NONE", "FIN,SYN,RST,PSH,ACK,URG/NONE" },
	{ FILTER_TCP_FLAGS, "CWR,ECE/ECE", "ECE,CWR/ECE" },
	{ FILTER_IN_INTERFACE, "eth0", "eth0" },
	{ FILTER_IN_INTERFACE, "!veth+", "!veth+" },
	{ FILTER_IN_INTERFACE, "+", "" },
	{ FILTER_OUT_INTERFACE, "h1-eth0.100", "h1-eth0.100" },
	{ FILTER_OUT_INTERFACE, "abcdefghijklmno", "abcdefghijklmno" },
};

static void test_each_field_prints_in_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(PRINTED) / sizeof(PRINTED[0]); i++) {
		const char *texts[FILTER_FIELDS] = { "forward,input,FORWARD,output" };
		struct filter filter;

		texts[PRINTED[i].field] = PRINTED[i].text;
		filter = filter_of(texts);
		assert_field(&filter, PRINTED[i].field, PRINTED[i].print);
		assert_field(&filter, FILTER_INTERFACE, "INPUT,OUTPUT,FORWARD");
		if (PRINTED[i].field == FILTER_TCP_FLAGS)
			assert_field(&filter, FILTER_PROTO, "tcp");
		for (unsigned int other = FILTER_PROTO; other < FILTER_FIELDS; other++)
			if (other != PRINTED[i].field && PRINTED[i].field != FILTER_TCP_FLAGS)
				assert_field(&filter, other, "");
	}
}

static void test_fields_have_names(void **state)
{
	(void)state;
	assert_string_equal(filter_field_name(FILTER_INTERFACE), "interface");
	assert_string_equal(filter_field_name(FILTER_TCP_FLAGS), "tcp_flags");
	assert_string_equal(filter_field_name(FILTER_OUT_INTERFACE), "out_interface");
}

static void test_several_hooks(void **state)
{
	(void)state;
	assert_int_equal(filter_of(ON("INPUT,output")).hooks, HOOK_INPUT | HOOK_OUTPUT);
	assert_int_equal(filter_of(ON("FORWARD,FORWARD")).hooks, HOOK_FORWARD);
	refuse("INPUT,", NULL, NULL, NULL, "interface \"INPUT,\": not a hook");
	refuse("INPUT, OUTPUT", NULL, NULL, NULL, "not a hook");
	refuse(",", NULL, NULL, NULL, "not a hook");
}

static void test_equality_sees_every_field(void **state)
{
	static const struct {
		enum filter_field field;
		const char *text;
	} one[] = {
		{ FILTER_INTERFACE, "INPUT" }, { FILTER_INTERFACE, "OUTPUT" },
		{ FILTER_INTERFACE, "INPUT,OUTPUT" }, { FILTER_PROTO, "tcp" },
		{ FILTER_PROTO, "!tcp" }, { FILTER_PROTO, "icmp" },
		{ FILTER_SRC, "10.0.0.1" }, { FILTER_SRC, "!10.0.0.1" },
		{ FILTER_SRC, "10.0.0.2" }, { FILTER_SRC, "0.0.0.0/0" },
		{ FILTER_SRC, "::/0" }, { FILTER_SRC, "fd00::/8" },
		{ FILTER_SRC, "fd00::/9" }, { FILTER_DST, "10.0.0.1" },
		{ FILTER_DST, "!10.0.0.1" }, { FILTER_SPORT, "80" },
		{ FILTER_SPORT, "80-82" }, { FILTER_SPORT, "!80" },
		{ FILTER_SPORT, "0-65535" }, { FILTER_DPORT, "80" },
		{ FILTER_DPORT, "80,82" }, { FILTER_TCP_FLAGS, "SYN" },
		{ FILTER_TCP_FLAGS, "SYN,ACK/SYN" }, { FILTER_TCP_FLAGS, "SYN/NONE" },
		{ FILTER_TCP_FLAGS, "!SYN" }, { FILTER_IN_INTERFACE, "eth0" },
		{ FILTER_IN_INTERFACE, "!eth0" }, { FILTER_IN_INTERFACE, "eth0+" },
		{ FILTER_OUT_INTERFACE, "eth0" }, { FILTER_OUT_INTERFACE, "!eth0" },
	};
	size_t count = sizeof(one) / sizeof(one[0]);

	(void)state;
	for (size_t i = 0; i < count * count; i++) {
		const char *left[FILTER_FIELDS] = { "INPUT,FORWARD,OUTPUT" };
		const char *right[FILTER_FIELDS] = { "INPUT,FORWARD,OUTPUT" };
		struct filter a, b;

		left[one[i / count].field] = one[i / count].text;
		right[one[i % count].field] = one[i % count].text;
		a = filter_of(left);
		b = filter_of(right);
		assert_int_equal(filter_equal(&a, &b), i / count == i % count);
	}
}

static void test_equality_is_of_meaning(void **state)
{
	struct filter a = filter_of(ON("INPUT", [FILTER_SPORT] = "!80")), b = a;

	(void)state;
	b = filter_of(ON("INPUT", [FILTER_SPORT] = "81-65535,0-79"));
	assert_true(filter_equal(&a, &b));
	b.sample = 0;
	assert_true(filter_equal(&a, &b));
	b.sample = 2;
	assert_false(filter_equal(&a, &b));
	b = a;
	b.include_fabric = true;
	assert_false(filter_equal(&a, &b));
	b = a;
	b.include_loopback = true;
	assert_false(filter_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_interfaces_and_protocols_are_refused),
		cmocka_unit_test(test_bad_addresses_are_refused),
		cmocka_unit_test(test_parts_that_exclude_one_another_are_refused),
		cmocka_unit_test(test_bad_ports_are_refused),
		cmocka_unit_test(test_bad_tcp_flags_are_refused),
		cmocka_unit_test(test_bad_network_interfaces_are_refused),
		cmocka_unit_test(test_negations_that_leave_nothing_are_refused),
		cmocka_unit_test(test_extension_headers_are_no_protocols_of_ipv6),
		cmocka_unit_test(test_what_is_given_is_what_is_parsed),
		cmocka_unit_test(test_family_follows_from_any_part),
		cmocka_unit_test(test_protocols_print_as_they_parse),
		cmocka_unit_test(test_hook_names),
		cmocka_unit_test(test_each_field_prints_in_one_form),
		cmocka_unit_test(test_fields_have_names),
		cmocka_unit_test(test_several_hooks),
		cmocka_unit_test(test_equality_sees_every_field),
		cmocka_unit_test(test_equality_is_of_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
