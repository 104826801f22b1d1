/** What can go wrong for a user of the client. */

/** The gateway refused a request: `field` is the first one that breaks a rule, `errors` all. */
export class ArchonError extends Error {
  /**
   * @param {number} status
   * @param {any} problem a problem document (RFC 9457), or nothing
   */
  constructor(status, problem) {
    const errors = Array.isArray(problem?.errors) ? problem.errors : [];
    const detail = String(problem?.detail ?? '');
    const further = errors
      .map((/** @type {any} */ each) => `${each.field}: ${each.message}`)
      .filter((/** @type {string} */ text) => !detail.includes(text));
    const text = [detail, ...further].filter(Boolean).join('; ');
    super([`${status} ${problem?.title ?? ''}`.trim(), text].filter(Boolean).join(': '));
    this.name = 'ArchonError';
    this.status = status;
    this.title = String(problem?.title ?? '');
    this.detail = detail;
    /** @type {{ field: string, rule: string, message: string }[]} */
    this.errors = errors;
    this.limit = String(problem?.limit ?? '');
    this.traceId = String(problem?.trace_id ?? '');
  }

  /** The first field that breaks a rule; empty: it is none of a field. */
  get field() {
    return this.errors.find((each) => each.field)?.field ?? '';
  }
}

/** The gateway could not be reached, or was too busy, in all attempts; sending again is safe. */
export class ArchonUnavailableError extends Error {
  /** @param {string} message @param {unknown} [cause] */
  constructor(message, cause) {
    super(message, { cause });
    this.name = 'ArchonUnavailableError';
  }
}

/** A job that was waited for ended without a new version; `reason` says why. */
export class JobUnsuccessfulError extends Error {
  /** @param {any} job */
  constructor(job) {
    super(`job ${job.job_id} ${job.state}: ${job.reason}`);
    this.name = 'JobUnsuccessfulError';
    this.job = job;
    this.state = String(job.state);
    this.reason = String(job.reason);
  }
}
