-- AlterTable
ALTER TABLE "runs" ADD COLUMN "connection" TEXT;
