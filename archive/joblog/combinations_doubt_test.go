package joblog_test

const preparedSetUp = "0.1 Current runner version: '2.337.0'\n0.2 Prepare all required actions\n0.9 Complete job name: build\n"

// doubtful are jobs in which something looks as if it were proven, or as if it were another
// step's.
var doubtful = []combination{
	{
		"a local action, prepared in the middle of the job",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-4 Run ./b; 4 4-4 Complete job",
		preparedSetUp + "1.1 " + run + "a\n2.0 out\n2.1 Prepare all required actions\n2.2 Getting action download info\n2.3 Download action repository 'c/d@v1' (SHA:x)\n2.4 " + run + "./b\n4.1 Cleaning up orphan processes",
		"1:1-3e 2:4-5 3:6-9 4:10-10e",
	},
	{
		"a local action, whose preparation has a package, warnings and another try",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-4 ./b; 4 4-4 Complete job",
		preparedSetUp + "1.1 " + run + "a\n2.1 Prepare all required actions\n2.1 ##[warning]`pre` execution is not supported for local action from './b'\n2.2 Getting action download info\n2.2 ##[warning]Failed to download action 'https://x'. Error: y\n2.2 ##[warning]Back off 11.1 seconds before retry.\n2.3 ##[group]Download immutable action package 'c/d@v1'\n2.3 Version: 1.0.0\n2.3 Digest: sha256:x\n2.3 Source commit SHA: y\n2.3 ##[endgroup]\n2.4 ##[warning]Unexpected input(s) 'z'\n2.4 " + run + "./b\n4.1 Cleaning up orphan processes",
		"1:1-3e 2:4-4 3:5-16 4:17-17e",
	},
	{
		"a local action that cannot be prepared",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-2 Run ./b !failure; 4 2-2 Complete job",
		preparedSetUp + "1.1 " + run + "a\n2.1 Prepare all required actions\n2.2 Getting action download info\n2.3 ##[error]Unable to resolve action c/d@v1\n2.4 Cleaning up orphan processes",
		"1:1-3e 2:4-4 3:5-7 4:8-8e",
	},
	{
		"a script that prints what prepares, before a command",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-4 Run b; 4 4-4 Complete job",
		preparedSetUp + "1.1 " + run + "a\n2.1 Prepare all required actions\n2.2 Getting action download info\n2.4 " + run + "b\n4.1 Cleaning up orphan processes",
		"1:1-3e 2:4-6e 3:7-7e 4:8-8e",
	},
	{
		"commands that begin with a path in quotation marks",
		"1 0-1 Set up job; 2 1-2 x; 3 2-3 Run './gradlew' 'build'; 4 3-4 y; 5 4-4 Complete job",
		setUpOf + "1.1 " + run + "'./gradlew'\n1.2 \x1b[36;1m'./gradlew'\x1b[0m\n1.3 out\n2.1 " + run + "'./gradlew' 'build'\n2.2 \x1b[36;1m'./gradlew' 'build'\x1b[0m\n3.1 " + run + "make\n4.1 Cleaning up orphan processes",
		"1:1-2e 2:3-5 3:6-7e 4:8-8 5:9-9e",
	},
	{
		"a script prints a hook's group",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-3 Run b; 4 3-3 Complete job",
		setUpOf + "1.1 " + run + "a\n1.2 " + run + "'/opt/a.sh'\n2.1 " + run + "b\n3.1 Cleaning up orphan processes",
		"1:1-2e 2:3-4 3:5-5 4:6-6e",
	},
	{
		"a command in quotation marks, and a script that prints a group",
		"1 0-1 Set up job; 2 1-1 Run a; 3 1-1 Run b; 4 2-2 Complete job",
		setUpOf + "1.1 " + run + "a\n1.2 " + run + "b\n1.3 " + run + "'./b' 'c'\n2.1 Cleaning up orphan processes",
		"1:1-2e 2:3-3 3:4-5 4:6-6e",
	},
	{
		"a step that may fail does so before its group, directly after one that may as well",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-2 Run ./b; 4 2-3 Run c; 5 3-3 Complete job",
		setUpOf + "1.1 " + run + "a\n2.1 ##[error]Process completed with exit code 1.\n2.2 ##[error]Can't find 'action.yml'\n2.3 " + run + "c\n2.4 " + run + "c\n3.1 Cleaning up orphan processes",
		"1:1-2e 2,3,4:3-7s 5:8-8e",
	},
	{
		"the first step fails before its group, and may; the next is called as it",
		"1 0-1 Set up job; 2 1-1 Run a; 3 1-3 Run b; 4 3-3 Complete job",
		setUpOf + "1.1 ##[error]The template is not valid\n1.2 " + run + "a\n1.3 out\n3.1 Cleaning up orphan processes",
		"1:1-2 2:3-3 3:4-5 4:6-6e",
	},
	{
		"two errors of a step, and two steps that fail before their groups",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-2 Run ./b; 4 2-2 Run ./c; 5 3-3 Complete job",
		setUpOf + "1.1 " + run + "a\n1.2 ##[error]x\n1.3 ##[error]y\n2.0 ##[error]Process completed with exit code 1.\n2.1 ##[error]Can't find 'action.yml'\n2.2 ##[error]Can't find 'action.yml'\n3.1 Cleaning up orphan processes",
		"1:1-2e 2:3-6 3:7-7 4:8-8 5:9-9e",
	},
	{
		"a step may fail, one before it prints a group, and a script prints one more",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-3 Run b; 4 3-4 Run b; 5 4-4 Complete job",
		setUpOf + "1.1 " + run + "a\n2.1 ##[error]Process completed with exit code 1.\n2.2 ##[error]Process completed with exit code 2.\n3.1 " + run + "b\n3.2 " + run + "b\n4.1 Cleaning up orphan processes",
		"1:1-2e 2:3-5 3:6-6 4:7-7 5:8-8e",
	},
	{
		"container hooks, and a script that prints what starts and stops containers",
		"1 0-1 Set up job; 2 1-1 Initialize containers; 3 1-3 make; 4 3-5 Stop containers; 5 5-5 Complete job",
		setUpOf + "1.1 " + run + "'/home/runner/k8s/index.js'\n1.2 " + run + "make\n1.3 " + run + "'/home/runner/k8s/index.js'\n1.4 ##[group]Checking docker version\n3.1 Stop and remove container: a\n3.2 out\n4.9 " + run + "'/home/runner/k8s/index.js'\n5.4 Cleaning up orphan processes",
		"1:1-2 2:3-3 3:4-6 4:7-9 5:10-10e",
	},
	{
		"a step that the API does not list, after the only one that it does",
		"1 0-1 Set up job; 2 1-2 Run a; 4 5-6 Complete job",
		setUpOf + "1.1 " + run + "a\n2.1 out\n3.1 " + run + "b\n5.1 Cleaning up orphan processes",
		"1:1-2e 2:3-5 4:6-6e",
	},
	{
		"a local action, prepared in the middle of a job whose set-up prepares none",
		"1 0-1 Set up job; 2 1-2 Run ./b; 3 2-3 Run c; 4 3-3 Complete job",
		setUpOf + "1.1 Prepare all required actions\n1.2 Getting action download info\n1.3 " + run + "./b\n2.1 " + run + "c\n3.1 Cleaning up orphan processes",
		"1:1-2 2:3-5 3:6-6e 4:7-7e",
	},
	{
		"an input that words how a step begins",
		"1 0-1 Set up job; 2 1-2 Initialize containers; 3 2-3 make; 4 3-3 Stop containers; 5 3-4 Complete job",
		"0.1 Current runner version: '2.337.0'\n0.2 ##[group] Inputs\n0.2   x: 1\n1.5 ##[group]Checking docker version\n0.3 ##[endgroup]\n0.9 Complete job name: build\n1.1 " + run + "'/home/runner/k8s/index.js'\n2.1 " + run + "make\n3.1 " + run + "'/home/runner/k8s/index.js'\n3.2 Cleaning up orphan processes",
		"1:1-6 2:7-7 3:8-8 4:9-9 5:10-10e",
	},
	{
		"an input that words how a set-up ends, and then how a step begins",
		"1 0-1 Set up job; 2 1-2 Initialize containers; 3 2-3 make; 4 3-3 Stop containers; 5 3-4 Complete job",
		"0.1 Current runner version: '2.337.0'\n0.2 ##[group] Inputs\n0.2   x: 1\n0.3 Complete job name: build\n1.5 ##[group]Checking docker version\n0.3 ##[endgroup]\n0.9 Complete job name: build\n1.1 " + run + "'/home/runner/k8s/index.js'\n2.1 " + run + "make\n3.1 " + run + "'/home/runner/k8s/index.js'\n3.2 Cleaning up orphan processes",
		"1:1-4 2:5-8 3:9-9 4:10-10 5:11-11e",
	},
	{
		"inputs with debug logging",
		"1 0-1 Set up job; 2 1-2 a; 3 2-3 Complete job",
		"0.1 ##[debug]Starting: Set up job\n0.2 ##[group] Inputs\n0.2   x: 1\n0.9 ##[debug]Finishing: Set up job\n1.0 ##[debug]Starting: a\n0.3 ##[endgroup]\n0.8 Complete job name: build\n0.9 ##[debug]Finishing: Set up job\n1.1 ##[debug]Starting: a\n1.2 " + run + "x\n1.9 ##[debug]Finishing: a\n2.1 ##[debug]Starting: Complete job\n2.3 ##[debug]Finishing: Complete job",
		"1:1-8e 2:9-11e 3:12-13e",
	},
	{
		"a message that words a time to come",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-3 Run b; 4 3-4 c; 5 5-5 Complete job",
		setUpOf + "1.1 " + run + "a\n1.2 ##[error]x\n9999.1 " + run + "z\n2.1 " + run + "b\n3.1 out\n3.2 out\n5.1 Cleaning up orphan processes",
		"1:1-2e 2:3-5 3:6-6 4:7-8 5:9-9e",
	},
	{
		"a message that words times gone by",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-3 Run b; 4 3-4 c; 5 5-5 Complete job",
		setUpOf + "1.1 " + run + "a\n1.2 ##[error]x\n-9999.1 " + run + "b\n-999 out\n2.1 " + run + "b\n3.1 out\n3.2 out\n5.1 Cleaning up orphan processes",
		"1:1-2e 2:3-6 3:7-7 4:8-9 5:10-10e",
	},
	{
		"a last step that the API does not list",
		"1 0-1 Set up job; 2 1-3 Run a",
		setUpOf + "1.1 " + run + "a\n2.1 out\n3.1 Cleaning up orphan processes",
		"1:1-2e 2:3-5",
	},
	{
		"steps that the API does not list, in the second of the one before",
		"1 0-1 Set up job; 2 1-2 Run a; 5 3-3 Complete job",
		setUpOf + "1.1 " + run + "a\n2.1 " + run + "b\n3.1 Cleaning up orphan processes",
		"1:1-2e 2:3-4 5:5-5e",
	},
	{
		"no step but the set-up that the API lists, and another",
		"1 0-1 Set up job; 3 1-1 Complete job",
		setUpOf + "1.1 " + run + "a\n1.2 Cleaning up orphan processes",
		"1:1-3 3:4-4e",
	},
	{
		"containers that are stopped, in a step that the API does not list",
		"1 0-1 Set up job; 2 1-2 Initialize containers; 3 2-3 Run a; 5 3-3 Complete job",
		setUpOf + "1.1 ##[group]Checking docker version\n2.1 " + run + "a\n3.1 Stop and remove container: x\n3.2 Cleaning up orphan processes",
		"1:1-2e 2:3-3e 3:4-5 5:6-6e",
	},
	{
		"a step whose start the API does not tell",
		"1 0-1 Set up job; 2 1-2 Run a; 3 ?-? Run b; 4 5-6 Complete job",
		setUpOf + "1.1 " + run + "a\n2.1 out\n2.2 out\n5.1 Cleaning up orphan processes",
		"1:1-2e 2:3-5 4:6-6",
	},
	{
		"a step after the job's end whose start the API does not tell",
		"1 0-1 Set up job; 2 1-2 Run a; 3 5-6 Complete job; 9 ?-? Post Run a",
		setUpOf + "1.1 " + run + "a\n2.1 Post job cleanup.\n5.1 Cleaning up orphan processes",
		"1:1-2e 2:3-4 3:5-5",
	},
	{
		"a step whose start the API does not tell, with debug logging",
		"1 0-1 Set up job; 2 ?-? a; 3 3-3 Complete job",
		"0.1 ##[debug]Starting: Set up job\n0.9 ##[debug]Finishing: Set up job\n1.1 out\n3.1 ##[debug]Starting: Complete job\n3.3 ##[debug]Finishing: Complete job",
		"1:1-3 3:4-5",
	},
	{
		"marks of inner steps by scripts of an older runner",
		"1 0-1 Set up job; 2 1-2 Run a; 3 2-3 Run b; 4 3-4 Run c; 5 4-4 Complete job",
		"0.1 Current runner version: '2.331.0'\n0.9 Complete job name: build\n1.1 " + run + "a\n1.2 ##[start-action display=x;id=a]\n2.1 " + run + "b\n3.1 " + run + "c\n3.2 ##[end-action id=a;outcome=success;conclusion=success;duration_ms=1]\n4.1 Cleaning up orphan processes",
		"1:1-2e 2:3-4e 3:5-5e 4:6-7e 5:8-8e",
	},
	{
		"marks of inner steps around a step that failed, and others",
		"1 0-1 Set up job; 2 1-2 Run a !failure; 3 2-3 Run b; 4 3-4 Run c; 5 4-4 Complete job",
		setUpOf + "1.1 " + run + "a\n1.2 ##[start-action display=x;id=a]\n2.0 ##[error]Process completed with exit code 1.\n2.1 " + run + "b\n3.1 " + run + "c\n3.2 ##[end-action id=a;outcome=failure;conclusion=success;duration_ms=1]\n4.1 Cleaning up orphan processes",
		"1:1-2 2:3-5 3:6-6 4:7-8 5:9-9e",
	},
	{
		"an inner step that fails, and one that always runs, within an inner step",
		"1 0-1 Set up job; 2 1-3 Run ./a; 3 3-4 Run c; 4 4-4 Complete job",
		setUpOf + "1.1 " + run + "./a\n1.2 ##[start-action display=x;id=a]\n1.2 " + run + "./b\n1.3 ##[start-action display=x;id=a.b]\n1.3 " + run + "c\n1.4 ##[error]Process completed with exit code 1.\n1.5 ##[end-action id=a.b;outcome=failure;conclusion=failure;duration_ms=1]\n1.6 ##[start-action display=x;id=a.c]\n3.0 " + run + "c\n3.0 ##[end-action id=a.c;outcome=success;conclusion=success;duration_ms=1]\n3.0 ##[end-action id=a;outcome=failure;conclusion=success;duration_ms=1]\n3.1 " + run + "c\n4.1 Cleaning up orphan processes",
		"1:1-2e 2:3-13 3:14-14 4:15-15e",
	},
}
