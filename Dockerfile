# The relay as an image: built with everything, run with the production dependencies alone, by a user without rights.
# A Node that still gets security fixes; package.json says from which version on the relay runs.
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/generate.mjs scripts/
COPY prisma prisma
COPY src src
# Readable for the user below, whatever the umask of the tree was.
RUN npm run build && chmod -R a+rX package.json prisma dist

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/package.json ./
COPY --from=build /app/prisma prisma
COPY --from=build /app/dist dist
# A volume takes its owner from the folder that it covers.
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
# Alive or not; it depends on neither the database nor Twitch, so that their absence restarts nothing.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/health', { signal: AbortSignal.timeout(4000) }).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The relay is its own first process: it hears SIGTERM and starts no other one.
CMD ["node", "--enable-source-maps", "dist/main.js", "serve"]
