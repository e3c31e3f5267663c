// Reads a job, its log and its run with @octokit/rest, told of another server and
// otherwise unchanged; prints what it got.
import { Octokit } from "@octokit/rest";

const octokit = new Octokit({ baseUrl: process.argv[2] + "/api/v3" });
const job = { owner: "acme", repo: "rocket", job_id: 31 };
const run = { owner: "acme", repo: "rocket", run_id: 2 };
const failed = async (promise) => {
  try {
    await promise;
    return 0;
  } catch (error) {
    return error.status;
  }
};
const ids = (jobs) => jobs.map((j) => j.id);
console.log(
  JSON.stringify({
    job: (await octokit.actions.getJobForWorkflowRun(job)).data.name,
    log: (await octokit.actions.downloadJobLogsForWorkflowRun(job)).data,
    latest: ids((await octokit.actions.listJobsForWorkflowRun(run)).data.jobs),
    attempt: ids((await octokit.actions.listJobsForWorkflowRunAttempt({ ...run, attempt_number: 1 })).data.jobs),
    all: ids(await octokit.paginate(octokit.actions.listJobsForWorkflowRun, { ...run, filter: "all", per_page: 2 })),
    unknown: await failed(octokit.actions.getJobForWorkflowRun({ ...job, job_id: 99 })),
    expired: await failed(octokit.actions.downloadJobLogsForWorkflowRun({ ...job, job_id: 32 })),
  }),
);
