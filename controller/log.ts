import { type Logger as PinoLogger, pino } from 'pino'

/** Structured log: a static message and facts beside it. Facts are redacted by the caller's `redact` before they are written. */
export interface Logger {
  debug(message: string, facts?: Record<string, unknown>): void
  info(message: string, facts?: Record<string, unknown>): void
  warn(message: string, facts?: Record<string, unknown>): void
  error(message: string, facts?: Record<string, unknown>): void
}

export interface LogOptions {
  level: string
  /** Removes secret values from a line of JSON (secrets/redaction.ts). */
  redact: (text: string) => string
  write: (line: string) => void
}

export function jsonLogger(options: LogOptions): Logger {
  const logger: PinoLogger = pino(
    { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line: string) => options.write(options.redact(line)) },
  )
  return {
    debug: (message, facts) => logger.debug(facts ?? {}, message),
    info: (message, facts) => logger.info(facts ?? {}, message),
    warn: (message, facts) => logger.warn(facts ?? {}, message),
    error: (message, facts) => logger.error(facts ?? {}, message),
  }
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
