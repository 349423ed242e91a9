-- AlterTable
ALTER TABLE "runs" ADD COLUMN     "checkedOutSha" TEXT;
