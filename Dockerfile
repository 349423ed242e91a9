# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build \
 && npm ci --omit=dev \
 # The database client names the CLI as an optional peer, so npm keeps it; at run time nothing needs it.
 && rm -rf node_modules/prisma node_modules/@prisma/engines node_modules/@prisma/fetch-engine node_modules/@prisma/get-platform \
           node_modules/@prisma/studio-core node_modules/@prisma/dev node_modules/@prisma/config node_modules/typescript \
           node_modules/react node_modules/react-dom node_modules/effect node_modules/@electric-sql

FROM node:24-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends git openssh-client ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 draven && useradd --uid 10001 --gid draven --home-dir /data --shell /usr/sbin/nologin draven \
 && install -d -o draven -g draven -m 0700 /data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist/controller ./dist/controller
COPY --from=build /app/dist/schemas ./dist/schemas
ENV NODE_ENV=production DRAVEN_DATA_DIR=/data DRAVEN_LISTEN=0.0.0.0:8080
USER draven
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/readyz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/controller/cli/main.js"]
CMD ["serve"]
