#!/usr/bin/env bash
# Makes the secrets of one installation with docker-compose: one file a process, which holds only what is its own.
#   deploy/compose/secrets.sh [DIRECTORY]      default: deploy/compose/secrets
# What is there stays as it is: the databases know these passwords. To begin anew, remove the directory and the volumes.
set -euo pipefail
umask 077
directory=${1:-$(dirname "$0")/secrets}

if [ -e "$directory/.complete" ]; then
  echo "the secrets are in $directory already"
  exit 0
fi
mkdir -p "$directory"

secret() { head -c 36 /dev/urandom | base64 | tr '+/' '-_'; }
wire_key() { head -c 32 /dev/urandom | base64; }
put() { printf '%s\n' "${@:2}" >>"$directory/$1.env"; }

services=(gateway auth_service usage_service rag_service llm_service embedding_service speech_service)
for name in "${services[@]}" databases migrations postgres valkey-meter valkey-cache; do : >"$directory/$name.env"; done

# Who calls whom (and each itself: delegated jobs, stored answers). Both ends of a pair get its key, nobody else does.
declare -A keys=()
pair() {
  local key; key=$(wire_key)
  keys[$1]+="\"$1>$2\": \"$key\", "
  [ "$1" = "$2" ] || keys[$2]+="\"$1>$2\": \"$key\", "
}
for name in "${services[@]}"; do pair "$name" "$name"; done
for name in "${services[@]:1}"; do pair gateway "$name"; done
for name in embedding_service llm_service usage_service; do pair rag_service "$name"; done
pair speech_service usage_service
for name in "${services[@]}"; do put "$name" "AI_PLATFORM_WIRE__KEYS={${keys[$name]%, }}"; done

jwt=$(secret) admin=$(secret) owner=$(secret) meter=$(secret) cache=$(secret)
put postgres "POSTGRES_PASSWORD=$admin"
# Each service has a role and a password of its own in PostgreSQL: nobody can log in as another.
roles=""
for name in auth usage rag llm; do
  password=$(secret)
  roles+="\"$name\": \"$password\", "
  put "${name}_service" "AI_PLATFORM_DATABASE__PASSWORD=$password"
done
put databases "PGPASSWORD=$admin" "AI_PLATFORM_DATABASE__OWNER_PASSWORD=$owner" "AI_PLATFORM_ROLE_PASSWORDS={${roles%, }}"
put migrations "AI_PLATFORM_DATABASE__OWNER_PASSWORD=$owner"
put valkey-meter "REDISCLI_AUTH=$meter"
put valkey-cache "REDISCLI_AUTH=$cache"
for name in gateway auth_service; do put "$name" "AI_PLATFORM_JWT__SECRET_KEY=$jwt"; done
for name in gateway usage_service; do put "$name" "AI_PLATFORM_REDIS__PASSWORD=$meter"; done
for name in auth_service rag_service llm_service embedding_service speech_service; do put "$name" "AI_PLATFORM_CACHE__PASSWORD=$cache"; done

touch "$directory/.complete"
echo "made the secrets in $directory: keep them out of version control, and with your backups"
