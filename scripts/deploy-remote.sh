#!/usr/bin/env bash
# The half of a deployment that runs on the server; scripts/deploy.sh and deploy.ps1 call it. PATH/releases/ has the
# releases, PATH/current points at the one that runs, PATH/backups/ has the database from before a migration.
# Ends with 0: the new release runs. 1: it does not; the one before runs, or there was none. 3: neither runs.
set -euo pipefail

path=$1
release=$2
ready_timeout=${3:-120}
folder=$path/releases/$release
keep_releases=3
umask 077
# The connection may break. What was begun is brought to its end all the same, so nothing here dies of a hang-up or of
# output that nobody reads, docker included: it writes to a loop that goes on reading.
trap '' HUP PIPE
exec > >(while IFS= read -r line || [ -n "$line" ]; do printf '%s\n' "$line" 2>/dev/null || true; done) 2>&1

say() { printf '%s\n' "$*"; }
warn() { printf 'deploy: %s\n' "$*" >&2; }

cd "$folder"
if command -v flock >/dev/null 2>&1; then
  exec 9>"$path/.deploy.lock"
  if ! flock -n 9; then
    warn "another deployment to $path is under way"
    rm -rf -- "$folder"
    exit 1
  fi
fi

previous=
if [ -f "$path/current/docker-compose.yml" ]; then previous=$(cd -P "$path/current" && pwd); fi

if [ ! -f .env ]; then
  if [ -z "$previous" ] || [ ! -f "$previous/.env" ]; then
    warn "there is no .env; nothing was changed"
    rm -rf -- "$folder"
    exit 1
  fi
  cp "$previous/.env" .env
fi
# Written down, so that `docker compose` by hand in this folder means this release. Lines end as everything here expects.
sed -e $'s/\r$//' -e '/^RELAY_TAG=/d' .env >.env.new
# A last line without an end would swallow the next one.
if [ -n "$(tail -c 1 .env.new)" ]; then echo >>.env.new; fi
printf 'RELAY_TAG=%s\n' "$release" >>.env.new
mv .env.new .env
chmod 600 .env

# Every compose command is about one folder: its files, its .env, its tag. A tag of the caller would win over .env.
unset RELAY_TAG
compose() { (cd "$1" && shift && docker compose "$@" </dev/null 9>&-); }

# What the relay of a folder says: "ready", "waiting NAME|NAME", "refused" (the allow list), or nothing when it is away.
probe='fetch("http://127.0.0.1:8080/ready",{signal:AbortSignal.timeout(5000)}).then(async(r)=>{
if(r.status===403)return console.log("refused");const{checks}=await r.json();
const bad=checks.filter((c)=>!c.ok).map((c)=>c.name.replace(/[|\n]/g," "));
console.log(bad.length===0?"ready":"waiting "+bad.join("|"))}).catch(()=>process.exit(1))'
ask() { compose "$1" exec -T relay node -e "$probe" 2>/dev/null || true; }
alive() { compose "$1" exec -T relay node -e 'fetch("http://127.0.0.1:8080/health").then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))' >/dev/null 2>&1; }

# Whether everything that does not work now did not work before either: a bot whose grant is gone is no fault of a release.
no_worse() {
  local name before="|${1#waiting }|" rest="${2#waiting }|"
  case $1 in waiting\ *) ;; *) return 1 ;; esac
  case $2 in waiting\ *) ;; *) return 1 ;; esac
  while [ -n "$rest" ]; do
    name=${rest%%|*}
    rest=${rest#*|}
    case $before in *"|$name|"*) ;; *) return 1 ;; esac
    # The database and the log are never "as before".
    case $name in bot\ *) ;; *) return 1 ;; esac
  done
}

# Sets `answer` to the last thing that the relay of the folder said.
answer=
wait_ready() {
  local deadline=$((SECONDS + ready_timeout))
  while :; do
    answer=$(ask "$1")
    case $answer in
      ready) return 0 ;;
      refused) if alive "$1"; then return 0; fi ;;
    esac
    if [ "$SECONDS" -ge "$deadline" ]; then return 1; fi
    sleep "${DEPLOY_POLL_SECONDS:-2}"
  done
}

drop_new() {
  cd "$path"
  docker image rm "eventsub-relay:$release" >/dev/null 2>&1 || true
  rm -rf -- "$folder"
}

before=
if [ -n "$previous" ]; then before=$(ask "$previous"); fi

say "building release $release"
compose "$folder" pull db || warn "the image of the database could not be fetched; the one that is here is used"
if ! compose "$folder" build --pull relay; then
  if [ -n "$previous" ]; then warn "the build failed; the release before still runs"; else warn "the build failed; nothing was started"; fi
  drop_new
  exit 1
fi

# A release that changes the database cannot be gone back from by starting the old one: that one refuses a newer database.
migrates=no
own_database=no
# Empty quotes are as good as nothing, for compose too.
if grep -Eq "^[[:space:]]*(export[[:space:]]+)?RELAY_DATABASE_URL[[:space:]]*=[[:space:]]*[\"']?[^\"'#[:space:]]" .env; then own_database=yes; fi
if [ -n "$previous" ] && ! diff -rq "$previous/prisma/migrations" "$folder/prisma/migrations" >/dev/null 2>&1; then
  migrates=yes
fi
if [ "$migrates$own_database" = yesyes ]; then
  warn "this release changes the database, which is a server of your own: have a backup of it"
elif [ "$migrates" = yes ]; then
  mkdir -p "$path/backups"
  say "this release changes the database; saving it to $path/backups/$release.dump"
  if ! compose "$previous" exec -T db pg_dump -U relay -d relay -Fc >"$path/backups/$release.dump"; then
    rm -f -- "$path/backups/$release.dump"
    warn "the database could not be saved; nothing was changed"
    drop_new
    exit 1
  fi
fi

say "starting it"
started=yes
compose "$folder" up -d --no-build db relay || started=no
if [ "$started" = yes ] && { wait_ready "$folder" || no_worse "$before" "$answer"; }; then
  ln -sfn "releases/$release" "$path/current.new"
  mv -T "$path/current.new" "$path/current"
  case $answer in
    ready) say "release $release is ready" ;;
    refused) say "release $release is alive; ALLOWED_CIDRS keeps /ready from this check, add 127.0.0.1 to it to have more" ;;
    *) say "release $release runs; not ready, as before: ${answer#waiting }" ;;
  esac
  # The newest ones stay (names sort by time), and in any case this one and the one to go back to.
  cd "$path/releases"
  kept=0
  for old in $(printf '%s\n' * | sort -r); do
    case $old in *[!0-9TZ-]*) continue ;; esac
    kept=$((kept + 1))
    if [ "$kept" -le "$keep_releases" ] || [ "$old" = "$release" ] || [ "$old" = "${previous##*/}" ]; then continue; fi
    docker image rm "eventsub-relay:$old" >/dev/null 2>&1 || true
    rm -rf -- "${path:?}/releases/$old"
  done
  exit 0
fi

warn "release $release did not become ready within $ready_timeout s (last answer: ${answer:-none})"
compose "$folder" logs --no-color --tail 40 relay >&2 || true
if [ -z "$previous" ]; then
  warn "there is no release before it; it is left as it is in $folder for you to look at"
  exit 1
fi
warn "going back to ${previous##*/}"
if compose "$previous" up -d --no-build db relay && { wait_ready "$previous" || no_worse "$before" "$answer"; }; then
  warn "release ${previous##*/} runs again"
  drop_new
  exit 1
fi
warn "the release before does not become ready either (last answer: ${answer:-none})"
if [ "$migrates" = yes ]; then
  warn "the database was changed by the new release; docs/operations.md, \"Going back over a migration\", and $path/backups/$release.dump"
fi
exit 3
