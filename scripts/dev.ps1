# The relay on this machine, started anew when a file changes. The same as scripts/dev.sh, for Windows.
param([int]$Port = 0)
$ErrorActionPreference = 'Stop'
Set-Location (Join-Path $PSScriptRoot '..')

if (-not (Test-Path .env)) { throw 'There is no .env. Make it: Copy-Item .env.example .env, and fill in the first part; each line says how.' }
if (-not (Get-Command node -ErrorAction SilentlyContinue)) { throw 'Node 20.19 or newer is needed.' }
if (-not (Test-Path node_modules)) { throw 'The dependencies are missing: npm ci' }

# The environment wins over the file, as it does for the relay. Without double quotes: PowerShell 5 loses them on the way.
function Get-Setting([string]$Name) {
  $script = 'const{readFileSync}=require(''node:fs'');const{parseEnv}=require(''node:util'');const n=process.argv[1];process.stdout.write(process.env[n]??parseEnv(readFileSync(''.env'',''utf8''))[n]??'''')'
  return [string](& node -e $script $Name)
}

if ($Port -eq 0) { $configured = Get-Setting PORT; if ($configured) { $Port = [int]$configured } else { $Port = 8080 } }
$env:PORT = "$Port"

$database = Get-Setting DATABASE_URL
if (-not $database) { Write-Host 'dev: no DATABASE_URL: the embedded database is used' }
elseif ($database -match '(@|//)(localhost|127\.0\.0\.1|\[::1\])[:/]') {
  if (Get-Command docker -ErrorAction SilentlyContinue) {
    & docker compose up -d --wait db
    if ($LASTEXITCODE -ne 0) { Write-Warning 'The database could not be started with Docker; perhaps another one answers at DATABASE_URL.' }
  }
  else { Write-Host 'dev: no Docker here; a PostgreSQL has to answer at DATABASE_URL' }
}
else { Write-Host 'dev: DATABASE_URL names another machine; nothing is started for it' }

$tunnel = $null
try {
  $domain = (Get-Setting NGROK_DOMAIN) -replace '^https://', '' -replace '/$', ''
  if ($domain) {
    if (-not (Get-Command ngrok -ErrorAction SilentlyContinue)) { throw 'NGROK_DOMAIN is set, but ngrok is not installed: https://ngrok.com/download' }
    $tunnel = Start-Process ngrok -ArgumentList 'http', "--domain=$domain", '--log=stderr', '--log-level=warn', "$Port" -NoNewWindow -PassThru
    $env:PUBLIC_URL = "https://$domain"
    if (-not (Get-Setting TRUST_PROXY)) { $env:TRUST_PROXY = '127.0.0.1/32,::1/128' }
    Write-Host "dev: $env:PUBLIC_URL leads to port $Port; its redirect URL for Twitch is $env:PUBLIC_URL/oauth/callback"
  }
  & npm run --silent dev
}
finally {
  if ($tunnel -and -not $tunnel.HasExited) { Stop-Process -Id $tunnel.Id }
}
