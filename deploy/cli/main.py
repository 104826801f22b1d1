"""The command's tree: one module per group of commands."""

import logging
import sys

import structlog
import typer

from deploy.cli import experiments
from deploy.cli.commands import (
    audit,
    demo,
    dlq,
    evaluate,
    feedback,
    jobs,
    keys,
    models,
    runs,
    serve,
    set_up,
    status,
    topics,
    trace,
    up,
)
from deploy.cli.data import datasets
from deploy.cli.errors import OneSentenceErrors
from deploy.cli.evaluation import benchmark_runs, benchmarks, logs, reviews
from deploy.cli.first_steps import open_page, quickstart
from deploy.cli.learning import cost, curriculum, synthetic, triggers
from deploy.cli.screens import watch

app = typer.Typer(
    name="archon",
    cls=OneSentenceErrors,
    help="Continual learning for AI agents: feedback in, a better deployed model out.",
    no_args_is_help=True,
    add_completion=False,
    # Typer's own tracebacks show local variables, and so keys and passwords.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

# Standard output is for answers. What libraries say of a failure, we say in one sentence.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
for library in ("aiokafka", "asyncio"):
    logging.getLogger(library).setLevel(logging.CRITICAL)

app.command("up", epilog=up.EXAMPLES)(up.up)
app.command("setup", epilog=set_up.EXAMPLES)(set_up.set_up)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("quickstart", epilog=quickstart.EXAMPLES)(quickstart.quickstart)
app.command("open", epilog=open_page.EXAMPLES)(open_page.open_page)
app.command("watch", epilog=watch.EXAMPLES)(watch.watch)
app.command("cost", epilog=cost.EXAMPLES)(cost.cost)
app.command("status", epilog=status.EXAMPLES)(status.status)
app.command("trace", epilog=trace.EXAMPLES)(trace.trace)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("benchmark", epilog=benchmarks.BENCHMARK_EXAMPLES)(benchmarks.benchmark)
app.command("validate", epilog=benchmarks.VALIDATE_EXAMPLES)(benchmarks.validate)
app.command("serve", epilog=serve.EXAMPLES)(serve.serve)
app.command("topics", epilog=topics.EXAMPLES)(topics.topics)
app.add_typer(feedback.group, name="feedback")
app.add_typer(jobs.group, name="jobs")
app.add_typer(benchmark_runs.group, name="benchmarks")
app.add_typer(logs.group, name="logs")
app.add_typer(reviews.group, name="reviews")
app.add_typer(datasets.group, name="datasets")
app.add_typer(models.group, name="models")
app.add_typer(experiments.group, name="experiments")
app.add_typer(curriculum.group, name="curriculum")
app.add_typer(triggers.group, name="triggers")
app.add_typer(runs.group, name="runs")
app.add_typer(dlq.group, name="dlq")
app.add_typer(audit.group, name="audit")
app.add_typer(synthetic.group, name="synthetic")
app.add_typer(keys.group, name="keys")
