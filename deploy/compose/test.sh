#!/usr/bin/env bash
# Builds the images, starts a platform of its own with docker-compose, runs the end-to-end suite against it, and removes
# it. Needs docker and docker-compose. PYTEST and PYTHON name the programs of an environment with the `dev` extra;
# AI_PLATFORM_MODELS the directory of the model files; KEEP=1 leaves everything running.
set -euo pipefail
cd "$(dirname "$0")/../.."

compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }

export COMPOSE_PROJECT_NAME=aisp-test-$$ AISP_PORT=0
AISP_SECRETS=$(mktemp -d)
export AISP_SECRETS
finish() {
  result=$?
  if [ "$result" != 0 ]; then compose logs --no-color --tail 25 || true; fi
  if [ -z "${KEEP:-}" ]; then compose down --volumes --timeout 10 >/dev/null 2>&1 || true; rm -rf "$AISP_SECRETS"; fi
  exit "$result"
}
trap finish EXIT

"${PYTHON:-python}" -m deploy.local models
deploy/compose/secrets.sh "$AISP_SECRETS"
compose build
compose up -d

# compose's own waiting differs between its versions: ask for each container's health.
deadline=$((SECONDS + 240))
until [ "$(waiting=$(compose ps -q | xargs -r docker inspect --format '{{.Name}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.State.ExitCode}}' |
  grep -vE ' running healthy | exited .*0$' || true); echo -n "$waiting")" = "" ]; do
  if [ $SECONDS -ge $deadline ]; then
    echo "not healthy in time:" >&2
    compose ps >&2
    exit 1
  fi
  sleep 1
done
echo "healthy after $SECONDS s"

operator_password=$(head -c 24 /dev/urandom | base64)
compose exec -T -e AI_PLATFORM_OPERATOR__PASSWORD="$operator_password" auth_service \
  python -m auth_service operator --email operator@example.com
AISP_BASE_URL="http://$(compose port gateway 8000)" AISP_OPERATOR_EMAIL=operator@example.com \
  AISP_OPERATOR_PASSWORD="$operator_password" "${PYTEST:-pytest}" -q tests/e2e
