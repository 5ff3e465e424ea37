/* SPDX-License-Identifier: MPL-2.0 */
/*
 * doctor - tries every source.
 *
 * A rule is committed, not only tested: iptables-restore --test says yes also where the kernel lacks the target, and
 * the legacy tool makes the table on the way. So the commit is made in a network namespace that unshare makes for it,
 * and that is gone with it; where none may be made, --test and its warnings have to do.
 * A check that cannot be made is a source that does not work, with the reason; nothing here fails as a whole.
 * Used by the message "doctor" and by weftd --doctor.
 */
#define _GNU_SOURCE /* memfd_create */
#include "doctor.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lock.h"
#include "rules.h"
#include "rules_plan.h"
#include "run.h"
#include "source.h"

#define DOCTOR_TRY_MS 10000
#define DOCTOR_LOCK_MS 2000 /* a dead node's guard may still be cleaning */

static const char MEND_RIGHTS[] =
	"run weftd as root, or give it CAP_NET_ADMIN and CAP_NET_RAW (systemd: AmbientCapabilities=)";

/* A source that needs the kernel's netfilter: where its numbers are listed, what its rule says. */
struct doctor_netfilter {
	const char *kind, *what, *listed;
	const char *rule; /* behind the number */
	const char *rule_number;
	const char *modules;
};

/* Matches that rules ask for beside addresses and protocol, where a filter or the fabric's ports need them. */
#define DOCTOR_MATCHES \
	" -m comment --comment weft -m bpf --bytecode \"1,6 0 0 1\" -m u32 --u32 6&0xff=0" \
	" -m statistic --mode random --probability 0.5"
#define DOCTOR_MATCH_MODULES "xt_comment xt_bpf xt_u32 xt_statistic xt_multiport"

static const struct doctor_netfilter NFQUEUE = {
	.kind = "nfqueue",
	.what = "queue",
	.listed = "/proc/self/net/netfilter/nfnetlink_queue",
	.rule_number = "-j NFQUEUE --queue-num",
	.rule = "--queue-bypass",
	.modules = "modprobe -a nfnetlink_queue xt_NFQUEUE " DOCTOR_MATCH_MODULES,
};

static const struct doctor_netfilter NFLOG = {
	.kind = "nflog",
	.what = "group",
	.listed = "/proc/self/net/netfilter/nfnetlink_log",
	.rule_number = "-j NFLOG --nflog-group",
	.rule = "--nflog-size 128 --nflog-threshold 32",
	.modules = "modprobe -a nfnetlink_log xt_NFLOG " DOCTOR_MATCH_MODULES,
};

static bool doctor_may(int capability)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return data[capability / 32].effective >> capability % 32 & 1;
}

/* Whether the kernel lists a queue or group as bound in this network namespace: the first number of a line. */
static bool doctor_is_bound(const char *path, uint16_t number)
{
	FILE *file = fopen(path, "re");
	unsigned int listed;
	bool is_bound = false;
	char line[256];

	while (file && !is_bound && fgets(line, sizeof line, file))
		is_bound = sscanf(line, "%u", &listed) == 1 && listed == number;
	if (file)
		fclose(file);
	return is_bound;
}

/* The tool's own words on one line, without the lines that only point at its help. */
static void doctor_quote(char text[DOCTOR_TEXT_MAX], const char *said)
{
	size_t used = 0;

	for (; *said && used + 1 < DOCTOR_TEXT_MAX; said++)
		text[used++] = *said == '\n' ? ' ' : *said;
	while (used > 0 && text[used - 1] == ' ')
		used--;
	text[used] = '\0';
}

/* Whether the kernel takes a rule; the reason in err. */
static int doctor_try_rule(const char *restore, const struct doctor_netfilter *netfilter, uint16_t number,
			   struct error *err)
{
	char tool[RUN_PATH_MAX], unshare[RUN_PATH_MAX], input[256], said[DOCTOR_TEXT_MAX];
	const char *const really[] = {unshare, "--net", tool, "--noflush", "--wait=5", NULL};
	const char *const tested[] = {tool, "--noflush", "--wait=5", "--test", NULL};
	struct run_output output = {0};
	bool is_refused;

	if (!run_find(restore, tool))
		return error_set(err, ERROR_CAPTURE_FAILED, "%s: not installed", restore);
	snprintf(input, sizeof input, "*mangle\n:%sDOCTOR - [0:0]\n-A %sDOCTOR" DOCTOR_MATCHES " %s %u %s\nCOMMIT\n",
		 RULES_CHAIN_PREFIX, RULES_CHAIN_PREFIX, netfilter->rule_number, number, netfilter->rule);
	if (run_find("unshare", unshare) && run_program(really, input, DOCTOR_TRY_MS, &output, err) < 0)
		return -1;
	if (!output.err || strncmp(output.err, "unshare:", 8) == 0) {
		run_output_clear(&output);
		if (run_program(tested, input, DOCTOR_TRY_MS, &output, err) < 0)
			return -1;
	}
	is_refused = output.status != 0 || strstr(output.err, "missing kernel module");
	doctor_quote(said, output.err);
	run_output_clear(&output);
	return is_refused ? error_set(err, ERROR_CAPTURE_FAILED, "%s refuses its rule: %s", restore, said) : 0;
}

static void doctor_find(struct doctor_finding *finding, bool works, const char *why, const char *mend)
{
	finding->works = works;
	snprintf(finding->why, sizeof finding->why, "%s", why);
	snprintf(finding->mend, sizeof finding->mend, "%s", mend);
}

/* Opens a source and closes it again; what it warns of is kept as the finding's why. */
static int doctor_try_source(const char *spec, uint16_t number, struct doctor_finding *finding, struct error *err)
{
	struct source *source = source_create(spec, number, err);
	const char *limit = NULL;

	if (!source)
		return -1;
	if (source->ops->warning)
		limit = source->ops->warning(source);
	if (!limit)
		limit = source->ops->why_not_hooks;
	doctor_find(finding, true, limit ? limit : "", "");
	source->ops->destroy(source);
	return 0;
}

/* The number is taken: by the node that runs here, or by a stranger. */
static void doctor_find_bound(const struct doctor_netfilter *netfilter, uint16_t number, bool is_node_running,
			      struct doctor_finding *finding)
{
	char why[DOCTOR_TEXT_MAX], mend[DOCTOR_TEXT_MAX] = "";

	if (is_node_running)
		snprintf(why, sizeof why, "%s %u is in use while a node runs here: looked at, not tried",
			 netfilter->what, number);
	else
		snprintf(why, sizeof why, "%s %u: already bound by another process", netfilter->what, number);
	if (!is_node_running)
		snprintf(mend, sizeof mend, "end that process (see %s), or take another number: weftd --queue N",
			 netfilter->listed);
	doctor_find(finding, is_node_running, why, mend);
}

static void doctor_check_netfilter(const struct doctor_netfilter *netfilter, uint16_t number, bool is_node_running,
				   struct doctor_finding *finding)
{
	struct error err = {0};
	char path[RUN_PATH_MAX], why[DOCTOR_TEXT_MAX];

	if (doctor_is_bound(netfilter->listed, number)) {
		doctor_find_bound(netfilter, number, is_node_running, finding);
	} else if (doctor_try_source(netfilter->kind, number, finding, &err) < 0) {
		doctor_find(finding, false, err.text, doctor_may(CAP_NET_ADMIN) ? netfilter->modules : MEND_RIGHTS);
	} else if (doctor_try_rule("iptables-restore", netfilter, number, &err) < 0) {
		doctor_find(finding, false, err.text,
			    run_find("iptables-restore", path) ? netfilter->modules : "apt install iptables");
	} else if (doctor_try_rule("ip6tables-restore", netfilter, number, &err) < 0) {
		snprintf(why, sizeof why, "IPv4 only: %s", err.text);
		doctor_find(finding, true, why, "");
	}
}

static void doctor_check_packet(struct doctor_finding *finding)
{
	struct error err = {0};

	if (doctor_try_source("packet", 0, finding, &err) < 0)
		doctor_find(finding, false, err.text,
			    doctor_may(CAP_NET_RAW) ? "give an interface an address and bring it up, or name one: "
						      "weftd --source packet:INTERFACE" :
						      MEND_RIGHTS);
}

/* An empty capture file, in memory. */
static void doctor_check_pcap(struct doctor_finding *finding)
{
	static const uint32_t head[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	int file = memfd_create("weft-doctor", MFD_CLOEXEC);
	struct error err = {0};
	char spec[64];

	snprintf(spec, sizeof spec, "pcap:/proc/self/fd/%d", file);
	if (file < 0 || write(file, head, sizeof head) != (ssize_t)sizeof head)
		doctor_find(finding, false, "pcap: no file can be made in memory to try it with",
			    "free memory or descriptors");
	else if (doctor_try_source(spec, 0, finding, &err) < 0)
		doctor_find(finding, false, err.text, "mount /proc, install libpcap0.8");
	if (file >= 0)
		close(file);
}

static void doctor_check_synth(struct doctor_finding *finding)
{
	struct error err = {0};

	if (doctor_try_source("synth:packets=1,flows=1", 0, finding, &err) < 0)
		doctor_find(finding, false, err.text, "free memory");
}

static bool doctor_works(const struct doctor_report *report, const char *source)
{
	for (size_t i = 0; i < DOCTOR_SOURCES; i++) {
		if (strcmp(report->findings[i].source, source) == 0)
			return report->findings[i].works;
	}
	return false;
}

static void doctor_recommend(struct doctor_report *report)
{
	static const struct {
		const char *source, *because;
	} choices[] = {
		{"nflog", "for measuring alone: it sees every hook and can never hold a packet up"},
		{"packet", "for measuring alone: it needs no rules and can never hold a packet up, but it sees INPUT "
			   "and OUTPUT only"},
		{"nfqueue", "it is the only one here that sees live traffic"},
		{"pcap", "no live traffic can be seen here; capture files can be read"},
		{"synth", "no live traffic can be seen here; made traffic can be counted"},
	};
	size_t last = sizeof choices / sizeof *choices - 1, i = 0;

	while (i < last && !doctor_works(report, choices[i].source))
		i++;
	report->recommended = choices[i].source;
	snprintf(report->because, sizeof report->because, "%s%s", choices[i].because,
		 i > 1 ? "" :
		 doctor_works(report, "nfqueue") ?
			 "; nfqueue, the default, counts each packet before it goes on: take it where that is wanted" :
			 "; nfqueue, the default, does not work here");
}

/* Whether what a saving tool prints has a chain of ours. No table is named, so that none is made by asking. */
static bool doctor_look(const char *save)
{
	struct run_output output = {0};
	char tool[RUN_PATH_MAX];
	const char *const argv[] = {tool, NULL};
	bool is_found;

	if (!run_find(save, tool) || run_program(argv, NULL, DOCTOR_TRY_MS, &output, NULL) < 0)
		return false;
	is_found = strstr(output.out, "\n:" RULES_CHAIN_PREFIX);
	run_output_clear(&output);
	return is_found;
}

/* Both families, and both back ends where both are there: rules may be left by the one that is not the default now. */
static bool doctor_has_rules(void)
{
	static const char *const saves[] = {"iptables-save",	    "ip6tables-save",	     "iptables-nft-save",
					    "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"};

	for (size_t i = 0; i < sizeof saves / sizeof *saves; i++) {
		if (doctor_look(saves[i]))
			return true;
	}
	return false;
}

static bool doctor_is_node_running(void)
{
	int lock = lock_take(0, NULL);

	if (lock >= 0)
		close(lock);
	return lock < 0;
}

void doctor_examine(uint16_t queue, struct doctor_report *report)
{
	static const char *const sources[DOCTOR_SOURCES] = {"nfqueue", "nflog", "packet", "pcap", "synth"};

	*report = (struct doctor_report){.is_node_running = doctor_is_node_running()};
	for (size_t i = 0; i < DOCTOR_SOURCES; i++)
		report->findings[i].source = sources[i];
	doctor_check_netfilter(&NFQUEUE, queue, report->is_node_running, &report->findings[0]);
	doctor_check_netfilter(&NFLOG, queue, report->is_node_running, &report->findings[1]);
	doctor_check_packet(&report->findings[2]);
	doctor_check_pcap(&report->findings[3]);
	doctor_check_synth(&report->findings[4]);
	report->has_leftovers = !report->is_node_running && doctor_has_rules();
	doctor_recommend(report);
}

int doctor_clean(bool *removed, struct error *err)
{
	int lock = lock_take(DOCTOR_LOCK_MS, err), result = -1;
	struct rules *rules;

	*removed = false;
	if (lock < 0)
		return -1;
	*removed = doctor_has_rules();
	rules = rules_create(0, err);
	if (rules)
		result = rules_clean(rules, err);
	rules_destroy(rules);
	close(lock);
	return result;
}
