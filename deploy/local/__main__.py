"""`python -m deploy.local VERB`: models, databases, run, demo, eval."""

import argparse
import asyncio
import sys
from pathlib import Path

from deploy.local.errors import LocalError
from deploy.local.settings import LocalSettings, load_local


def main() -> None:
    """Runs the verb; one clear sentence and exit code 1 if it cannot."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("models", help="fetch and verify the model files")
    databases = verbs.add_parser("databases", help="make the databases and roles on your own PostgreSQL")
    databases.add_argument("--admin-dsn", required=True, help="postgresql://superuser@host:port/postgres")
    verbs.add_parser("run", help="start everything on this machine")
    verbs.add_parser("demo", help="show what the running platform can do")
    evaluation = verbs.add_parser("eval", help="measure how well search finds, on the running platform")
    evaluation.add_argument("directory", type=Path, help="where corpus.jsonl and queries.jsonl are")
    evaluation.add_argument("--store", action="append", default=[], help="measure on this one of those configured")
    arguments = parser.parse_args()
    try:
        settings = load_local()
        _run(arguments, settings)
    except LocalError as error:
        sys.exit(f"{parser.prog} {arguments.verb}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(arguments: argparse.Namespace, settings: LocalSettings) -> None:
    if arguments.verb == "models":
        from deploy.local.models import ensure_models

        ensure_models(settings.models_directory, print)
        print(f"models: all there, verified, in {settings.models_directory}")
    elif arguments.verb == "databases":
        from deploy.local.databases import ensure_databases

        asyncio.run(ensure_databases(arguments.admin_dsn, settings.database, settings.role_passwords))
    elif arguments.verb == "run":
        from deploy.local.run import run

        run(settings)
    elif arguments.verb == "eval":
        from deploy.local.evaluate import evaluate

        evaluate(settings, arguments.directory, arguments.store)
    else:
        from deploy.local.demo import demo

        demo(settings)


if __name__ == "__main__":
    # The working directory is the repository root; `deploy` is found from there.
    sys.path.insert(0, str(Path.cwd()))
    main()
