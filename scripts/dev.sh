#!/usr/bin/env bash
# The relay on this machine, started anew when a file changes: the database, an optional tunnel for NGROK_DOMAIN, the relay.
# Ends what it started, but leaves the database running.
set -euo pipefail
# With it, cd may go to a folder of the same name elsewhere.
unset CDPATH

usage() {
  cat <<'USAGE'
scripts/dev.sh [-Port|--port|-p NUMBER]

Reads .env. With DATABASE_URL on this machine it starts the compose file's database, without one the embedded is used.
With NGROK_DOMAIN it opens a tunnel to the relay, and PUBLIC_URL is the tunnel's address.
USAGE
}
fail() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

port=
while [ "$#" -gt 0 ]; do
  case $1 in
    -Port | --port | -p)
      port=${2-}
      case $port in '' | *[!0-9]*) fail "$1 wants a number" ;; esac
      shift 2
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -f .env ] || fail "there is no .env. Make it: cp .env.example .env, and fill in the first part; each line says how"
command -v node >/dev/null || fail "Node 20.19 or newer is needed"
[ -d node_modules ] || fail "the dependencies are missing: npm ci"

# The environment wins over the file, as it does for the relay. The file is read, never run.
setting() {
  node -e 'const { readFileSync } = require("node:fs"); const { parseEnv } = require("node:util"); const [name] = process.argv.slice(1);
process.stdout.write(process.env[name] ?? parseEnv(readFileSync(".env", "utf8"))[name] ?? "")' "$1"
}
port=${port:-$(setting PORT)}
export PORT=${port:-8080}

children=()
finish() {
  trap - EXIT INT TERM HUP
  for child in "${children[@]+"${children[@]}"}"; do kill "$child" 2>/dev/null || true; done
  wait
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- the database ---
database=$(setting DATABASE_URL)
case $database in
  '') echo "dev: no DATABASE_URL: the embedded database is used" ;;
  *@localhost[:/]* | *@127.0.0.1[:/]* | *@\[::1\]* | *://localhost[:/]* | *://127.0.0.1[:/]*)
    if docker compose version >/dev/null 2>&1; then
      docker compose up -d --wait db || echo "dev: the database could not be started with Docker; perhaps another one answers at DATABASE_URL" >&2
    else
      echo "dev: no Docker here; a PostgreSQL has to answer at DATABASE_URL"
    fi
    ;;
  *) echo "dev: DATABASE_URL names another machine; nothing is started for it" ;;
esac

# --- the tunnel ---
domain=$(setting NGROK_DOMAIN)
if [ -n "$domain" ]; then
  command -v ngrok >/dev/null || fail "NGROK_DOMAIN is set, but ngrok is not installed: https://ngrok.com/download, or empty NGROK_DOMAIN"
  domain=${domain#https://}
  ngrok http "--domain=${domain%/}" --log=stderr --log-level=warn "$PORT" &
  children+=("$!")
  export PUBLIC_URL=https://${domain%/}
  # The tunnel ends here; without this every visitor would have the address of this machine.
  trusted=$(setting TRUST_PROXY)
  export TRUST_PROXY=${trusted:-127.0.0.1/32,::1/128}
  echo "dev: $PUBLIC_URL leads to port $PORT; its redirect URL for Twitch is $PUBLIC_URL/oauth/callback"
fi

npm run --silent dev &
relay=$!
children+=("$relay")
wait "$relay"
