# Puts this tree on a server and starts it there. The same as scripts/deploy.sh, for Windows: it uploads with tar, and what
# happens on the server is in deploy-remote.sh.
param(
  [Parameter(Mandatory = $true)][string]$RemoteHost,
  [Parameter(Mandatory = $true)][string]$RemotePath,
  [int]$ReadyTimeoutSeconds = 120,
  [switch]$SkipCheck,
  [switch]$DryRun
)
$ErrorActionPreference = 'Stop'
Set-Location (Join-Path $PSScriptRoot '..')

$RemotePath = $RemotePath.TrimEnd('/')
# Single quotes in a path would have to survive two shells; this script does not try.
if ($RemotePath -notmatch '^/[^''"\r\n]+$') { throw "The path on the server must be absolute, not the root and without quotes, such as /opt/eventsub-relay; got '$RemotePath'." }
if ($RemoteHost -match '^-|\s') { throw "'$RemoteHost' is no host." }
foreach ($file in 'Dockerfile', 'docker-compose.yml', 'package.json', 'package-lock.json', 'src/main.ts', 'scripts/deploy-remote.sh') {
  if (-not (Test-Path $file)) { throw "$file is missing: this is not a whole tree of the relay." }
}
foreach ($tool in 'ssh', 'scp', 'tar') {
  if (-not (Get-Command $tool -ErrorAction SilentlyContinue)) { throw "$tool is needed; Windows 10 and newer have it as an optional feature." }
}

$hasEnv = Test-Path .env
if ($hasEnv -and -not $SkipCheck) {
  if (-not (Test-Path node_modules/tsx/dist/cli.mjs)) { throw 'Cannot check .env: run npm ci first, or pass -SkipCheck.' }
  & node node_modules/tsx/dist/cli.mjs src/main.ts check
  if ($LASTEXITCODE -ne 0) { throw '.env is not complete; nothing was changed.' }
}
if ($hasEnv -and (Select-String -Path .env -Pattern '^\s*TWURPLE_MOCK_API_PORT=.' -Quiet)) {
  throw '.env sets TWURPLE_MOCK_API_PORT, a stand-in for Twitch on this machine; leave it empty to deploy.'
}

$release = '{0}-{1}' -f (Get-Date).ToUniversalTime().ToString('yyyyMMddTHHmmssZ'), $PID
$folder = "$RemotePath/releases/$release"
if ($DryRun) {
  Write-Host "would upload this tree to ${RemoteHost}:$folder, build, start and wait up to $ReadyTimeoutSeconds s for /ready"
  return
}

function Invoke-Remote([string]$Command, [string]$Otherwise) {
  & ssh -- $RemoteHost $Command
  if ($LASTEXITCODE -ne 0) { throw $Otherwise }
}

Invoke-Remote "docker compose version >/dev/null && umask 077 && mkdir -p '$folder'" "$RemoteHost could not be reached, has no Docker with the compose plugin, or $RemotePath cannot be written to; nothing was changed."
if (-not $hasEnv) {
  Invoke-Remote "test -f '$RemotePath/current/.env' || { rmdir '$folder'; false; }" 'There is no .env here and none on the server. Make it: Copy-Item .env.example .env, and fill it in.'
}

# Through files, not pipes: PowerShell changes bytes in a pipe between programs.
$archive = Join-Path ([IO.Path]::GetTempPath()) "relay-$release.tgz"
try {
  & tar -czf $archive --exclude=./.git --exclude=./node_modules --exclude=./data --exclude=./backups --exclude=./dist --exclude=./coverage --exclude=./src/store/generated --exclude=.env* --exclude=*.log --exclude=*.dump --exclude=*.tsbuildinfo .
  if ($LASTEXITCODE -ne 0) { throw 'The archive could not be made.' }
  # To the folder of the user and moved there, so that the path needs no quotes that scp versions disagree about.
  & scp -q -- $archive "${RemoteHost}:relay-$release.tgz"
  if ($LASTEXITCODE -ne 0) { throw 'The upload failed; what runs there is as it was.' }
}
finally { Remove-Item $archive -ErrorAction SilentlyContinue }
Invoke-Remote "tar -xzf 'relay-$release.tgz' -C '$folder' && rm 'relay-$release.tgz'" 'The upload failed; what runs there is as it was.'
if ($hasEnv) {
  # The file exists with its rights before there is anything in it.
  Invoke-Remote "umask 077 && : > 'relay-$release.env'" '.env could not be sent; what runs there is as it was.'
  & scp -q -- .env "${RemoteHost}:relay-$release.env"
  if ($LASTEXITCODE -ne 0) { throw '.env could not be sent; what runs there is as it was.' }
  # Lines end as the server expects.
  Invoke-Remote "umask 077 && tr -d '\r' < 'relay-$release.env' > '$folder/.env' && rm 'relay-$release.env'" '.env could not be sent; what runs there is as it was.'
}

& ssh -- $RemoteHost "tr -d '\r' < '$folder/scripts/deploy-remote.sh' > '$folder/deploy.sh' && bash '$folder/deploy.sh' '$RemotePath' '$release' $ReadyTimeoutSeconds"
exit $LASTEXITCODE
