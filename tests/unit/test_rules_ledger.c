/* SPDX-License-Identifier: MPL-2.0 */
/* What rules have counted, over flushes, zeroing and changes. */
#include "rules_fixture.h"

#include <inttypes.h>

#include "capture/rules_ledger.h"

#define Q_1 " -A WEFT-Q-1 -m comment --comment weft -j NFQUEUE --queue-num 7 --queue-bypass\n"
#define Q_9 " -A WEFT-Q-9 -m statistic --mode random --probability 0.11111111101 -j NFQUEUE --queue-num 7\n"
#define L_1 " -A WEFT-L-1 -m comment --comment weft -j NFLOG --nflog-group 7\n"
#define C_1 " -A WEFT-COUNT-INPUT -p udp -m comment --comment \"weft-counter c1\"\n"
#define C_1_TCP " -A WEFT-COUNT-INPUT -p tcp -m comment --comment \"weft-counter c1\"\n"
#define C_2 " -A WEFT-COUNT-INPUT -m comment --comment \"weft-counter c2\"\n"

static void note(struct ledger *ledger, const char *save)
{
	assert_int_equal(ledger_note(ledger, save, NULL), 0);
}

static void assert_counter(const struct ledger *ledger, const char *id, uint64_t packets, uint64_t bytes)
{
	struct ledger_count count = ledger_counter(ledger, id);

	assert_int_equal(count.packets, packets);
	assert_int_equal(count.bytes, bytes);
}

static void any_text_is_a_reading(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	note(&ledger, "");
	note(&ledger, "[5:5] -A INPUT -j NFQUEUE --queue-num 7\n[3:3] -A WEFT-INPUT -g WEFT-Q-1\n"
		      "[1:1] -A WEFT-Q-1\n:\n\"");
	assert_false(ledger_falls(&ledger, ""));
	assert_int_equal(ledger_nfqueue(&ledger) + ledger_nflog(&ledger), 0);
	assert_counter(&ledger, "c1", 0, 0);
	ledger_clear(&ledger);
	ledger_clear(&ledger);
}

static void sums_are_by_target_and_by_counter(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	note(&ledger, "[5:500]" Q_1 "[7:700]" Q_9 "[11:1100]" L_1 "[1:100]" C_1 "[18446744073709551615:200]" C_2
		      "[3:300]" C_1_TCP);
	assert_int_equal(ledger_nfqueue(&ledger), 12);
	assert_int_equal(ledger_nflog(&ledger), 11);
	assert_counter(&ledger, "c1", 4, 400);
	assert_counter(&ledger, "c2", UINT64_MAX, 200);
	assert_counter(&ledger, "c", 0, 0);
	ledger_clear(&ledger);
}

static void a_flush_ends_one_rules_count_and_no_others(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	note(&ledger, "[5:500]" Q_1 "[7:700]" Q_9 "[1:100]" C_1 "[3:300]" C_1_TCP);
	note(&ledger, "[6:600]" Q_1 "[4:400]" C_1_TCP);
	assert_int_equal(ledger_nfqueue(&ledger), 13);
	assert_counter(&ledger, "c1", 5, 500);
	assert_false(ledger_falls(&ledger, "[6:600]" Q_1 "[0:0]" Q_9));
	note(&ledger, "[8:800]" Q_1 "[2:200]" Q_9 "[1:150]" C_1 "[4:400]" C_1_TCP);
	assert_int_equal(ledger_nfqueue(&ledger), 7 + 8 + 2);
	assert_counter(&ledger, "c1", 1 + 1 + 4, 100 + 150 + 400);
	ledger_clear(&ledger);
}

static void zeroed_counts_go_on(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	note(&ledger, "[5:500]" Q_1 "[9:900]" C_1);
	assert_true(ledger_falls(&ledger, "[5:500]" Q_1 "[8:1000]" C_1));
	assert_true(ledger_falls(&ledger, "[5:499]" Q_1 "[9:900]" C_1));
	assert_false(ledger_falls(&ledger, "[5:500]" Q_1 "[9:900]" C_1));
	note(&ledger, "[2:200]" Q_1 "[0:0]" C_1);
	assert_int_equal(ledger_nfqueue(&ledger), 7);
	assert_counter(&ledger, "c1", 9, 900);
	ledger_clear(&ledger);
}

static void what_goes_by_our_own_hand_stays_in_the_sums(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	note(&ledger, "[5:500]" Q_1 "[7:700]" Q_9 "[2:200]" L_1 "[1:100]" C_1 "[3:300]" C_2);
	note(&ledger, "[5:500]" Q_1 "[3:300]" C_2);
	ledger_trim(&ledger, ":WEFT-Q-1\n" Q_1 C_2);
	assert_int_equal(ledger_nfqueue(&ledger), 12);
	assert_int_equal(ledger_nflog(&ledger), 2);
	assert_counter(&ledger, "c1", 0, 0);
	assert_counter(&ledger, "c2", 3, 300);
	note(&ledger, "[6:600]" Q_1 "[1:100]" Q_9 "[2:200]" C_1 "[4:400]" C_2);
	assert_int_equal(ledger_nfqueue(&ledger), 14);
	assert_counter(&ledger, "c1", 2, 200);
	ledger_clear(&ledger);
}

static void a_counter_that_begins_anew_forgets(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	note(&ledger, "[9:900]" C_1 "[9:900]" C_1_TCP "[7:700]" C_2);
	note(&ledger, "[1:100]" C_1 "[7:700]" C_2);
	ledger_restart(&ledger, "c1");
	assert_counter(&ledger, "c1", 1, 100);
	assert_counter(&ledger, "c2", 7, 700);
	ledger_clear(&ledger);
}

/* Rules that come, go and are zeroed at random: the sum is what was counted up to each last reading. */
static void sums_are_exact_over_seeds(void **state)
{
	static const char *const rules[] = { Q_1, Q_9, C_1, C_2, L_1 };

	(void)state;
	for (unsigned int seed = 1; seed <= 100; seed++) {
		uint64_t now[5] = { 0 }, total[5] = { 0 };
		struct ledger ledger = { 0 };
		unsigned int random = seed;

		for (int step = 0; step < 50; step++) {
			char save[2048] = "";

			for (size_t i = 0; i < 5; i++) {
				uint64_t more = (uint64_t)rand_r(&random) % 1000;

				if (rand_r(&random) % 5 == 0) /* flushed, and not there yet */
					now[i] = 0;
				else if (rand_r(&random) % 5 == 0) /* zeroed; falls, unless it had counted nothing */
					total[i] += now[i] = now[i] ? more % now[i] : 0;
				else
					total[i] += more, now[i] += more;
				if (now[i] || rand_r(&random) % 2)
					snprintf(save + strlen(save), sizeof(save) - strlen(save), "[%" PRIu64 ":1]%s",
						 now[i], rules[i]);
			}
			note(&ledger, save);
		}
		if (ledger_nfqueue(&ledger) != total[0] + total[1] || ledger_nflog(&ledger) != total[4] ||
		    ledger_counter(&ledger, "c1").packets != total[2] ||
		    ledger_counter(&ledger, "c2").packets != total[3])
			fail_msg("seed %u: the sums are not what was counted", seed);
		ledger_clear(&ledger);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_text_is_a_reading),
		cmocka_unit_test(sums_are_by_target_and_by_counter),
		cmocka_unit_test(a_flush_ends_one_rules_count_and_no_others),
		cmocka_unit_test(zeroed_counts_go_on),
		cmocka_unit_test(what_goes_by_our_own_hand_stays_in_the_sums),
		cmocka_unit_test(a_counter_that_begins_anew_forgets),
		cmocka_unit_test(sums_are_exact_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
