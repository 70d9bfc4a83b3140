#!/usr/bin/env bash
# Puts this tree on a server and starts it there: checks, uploads a release folder, builds, waits for /ready, goes back to
# the release before when that fails. What happens on the server is in deploy-remote.sh, which travels with the release.
set -euo pipefail
# With it, cd may go to a folder of the same name elsewhere.
unset CDPATH

usage() {
  cat <<'USAGE'
scripts/deploy.sh [--dry-run] [--skip-check] user@host /absolute/path

  --dry-run      check everything here and say what would be done; the server is not contacted
  --skip-check   do not check .env (it is needed when Node is not installed here)

The server needs Docker with the compose plugin, 2.24 or newer, and bash. SSH options belong into ~/.ssh/config.
READY_TIMEOUT_SECONDS (default 120) is how long the new release may take to become ready.
USAGE
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'deploy: %s\n' "$*" >&2
  exit 1
}
# For the shell on the other side, whichever it is.
quote() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

dry_run=no
check=yes
words=()
for word in "$@"; do
  case $word in
    --dry-run) dry_run=yes ;;
    --skip-check) check=no ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*)
      usage >&2
      exit 2
      ;;
    *) words+=("$word") ;;
  esac
done
if [ "${#words[@]}" -ne 2 ]; then
  usage >&2
  exit 2
fi
host=${words[0]}
path=${words[1]%/}
case $path in
  *$'\n'*) fail "the path holds a line break" ;;
  /?*) ;;
  *) fail "the path on the server must be absolute and not the root, such as /opt/eventsub-relay; got \"$path\"" ;;
esac
ready_timeout=${READY_TIMEOUT_SECONDS:-120}
case $ready_timeout in '' | *[!0-9]*) fail "READY_TIMEOUT_SECONDS must be a whole number" ;; esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
for file in Dockerfile docker-compose.yml package.json package-lock.json src/main.ts scripts/deploy-remote.sh; do
  [ -f "$file" ] || fail "$file is missing: this is not a whole tree of the relay"
done

# --- .env, checked by the relay's own rules; it names what is wrong and never prints a secret ---
check_env() {
  local relay
  if [ -f node_modules/tsx/dist/cli.mjs ]; then
    relay=(node node_modules/tsx/dist/cli.mjs src/main.ts)
  elif [ -f dist/main.js ] && [ -d node_modules ]; then
    relay=(node dist/main.js)
  else
    fail "cannot check .env: run npm ci first, or pass --skip-check"
  fi
  # Only what is in the file counts: this shell's variables do not travel.
  env -i PATH="$PATH" HOME="${HOME:-/}" "${relay[@]}" check >&2 || fail ".env is not complete; nothing was changed"
}
# Whether .env gives it a value; empty quotes and the end of a line from Windows are none.
sets() { grep -Eq "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=[[:space:]]*[\"']?[^\"'#[:space:]]" .env; }
send_env=no
if [ -f .env ]; then
  send_env=yes
  if [ "$check" = yes ]; then check_env; fi
  if sets TWURPLE_MOCK_API_PORT; then
    fail ".env sets TWURPLE_MOCK_API_PORT, a stand-in for Twitch on this machine; leave it empty to deploy"
  fi
  if ! sets POSTGRES_PASSWORD; then
    say "note: .env sets no POSTGRES_PASSWORD, so the database has the default one; it is reached from the server alone"
  fi
  # The relay takes a dollar sign as it is; compose puts a variable in its place, and the two would know different secrets.
  quoted="'"
  dollars=$(sed -nE 's/^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)[[:space:]]*=[[:space:]]*([^'"$quoted"'[:space:]].*)?[$][A-Za-z_{].*/\2/p' .env | tr '\n' ' ')
  if [ -n "$dollars" ]; then
    say "note: Docker reads a variable's name behind the dollar sign in ${dollars% }; a value that means the sign goes into single quotes"
  fi
fi

release=$(date -u +%Y%m%dT%H%M%SZ)-$$
folder=$path/releases/$release
# Folders at the top, and names anywhere.
folders=(.git node_modules data backups dist coverage src/store/generated)
names=(.env '.env.*' '*.log' '*.dump' '*.tsbuildinfo')

if [ "$dry_run" = yes ]; then
  say "would check that $host has Docker with the compose plugin"
  say "would upload this tree to $host:$folder, without ${folders[*]} ${names[*]} (but with .env.example)"
  if [ "$send_env" = yes ]; then say "would send .env, readable by its owner alone"; else say "would go on with the .env of the release before; there must be one"; fi
  say "would build, start and wait up to $ready_timeout s for /ready, and go back if it does not come"
  exit 0
fi

# --- the server, before anything is changed on it ---
say "looking at $host"
state=$(ssh -- "$host" "bash -s -- $(quote "$path") $(quote "$folder")" <<'REMOTE'
set -eu
docker compose version >/dev/null 2>&1 || { echo no-compose; exit 0; }
umask 077
mkdir -p "$2"
if [ -f "$1/current/.env" ]; then echo has-env; else echo no-env; fi
if command -v rsync >/dev/null 2>&1; then echo has-rsync; fi
REMOTE
) || fail "$host could not be reached, or $path cannot be written to by that user; nothing was changed"
case $state in *no-compose*) fail "$host has no Docker with the compose plugin, or this user may not use it" ;; esac
drop_release() { ssh -- "$host" "rm -rf -- $(quote "$folder")" </dev/null || true; }
if [ "$send_env" = no ]; then
  case $state in
    *has-env*) say "no .env here; the one of the release before is used" ;;
    *)
      drop_release
      fail "there is no .env here and none on $host. Make it: cp .env.example .env, and fill it in"
      ;;
  esac
fi

# --- the tree ---
upload() {
  if [[ $state == *has-rsync* ]] && rsync --protect-args --version >/dev/null 2>&1; then
    say "uploading with rsync"
    rsync -az --protect-args --include=.env.example "${folders[@]/#/--exclude=/}" "${names[@]/#/--exclude=}" \
      -e ssh ./ "$host:$folder/"
  else
    say "uploading with tar"
    # tar knows no exception to an exclusion, so the example goes by itself.
    tar -czf - "${folders[@]/#/--exclude=./}" "${names[@]/#/--exclude=}" . |
      ssh -- "$host" "tar -xzf - -C $(quote "$folder")"
    ssh -- "$host" "cat > $(quote "$folder/.env.example")" <.env.example
  fi
}
if ! upload; then
  drop_release
  fail "the upload failed; what runs on $host is as it was"
fi
if [ "$send_env" = yes ]; then
  if ! ssh -- "$host" "umask 077 && cat > $(quote "$folder/.env")" <.env; then
    drop_release
    fail ".env could not be sent; what runs on $host is as it was"
  fi
fi

# --- build, start, wait, or go back ---
code=0
ssh -- "$host" "bash $(quote "$folder/scripts/deploy-remote.sh") $(quote "$path") $(quote "$release") $ready_timeout" </dev/null || code=$?
if [ "$code" -eq 255 ]; then
  say "the connection to $host broke. The server goes on, and goes back by itself if that fails; $path/current points at what runs" >&2
fi
exit "$code"
