// Error numbers of the Linux calls that this model answers (arm64, asm-generic/errno.h).

export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENOTTY: 25,
  ENOSPC: 28,
  ERANGE: 34,
  ENOSYS: 38,
  EOVERFLOW: 75,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  ETIMEDOUT: 110,
} as const;

export type ErrnoName = keyof typeof ERRNO;

/**
 * A negative error number with its name: -22 to "EINVAL". Undefined for results that are no error.
 */
export function errnoName(result: number): ErrnoName | undefined {
  const found = Object.entries(ERRNO).find(([, value]) => value === -result);
  return found?.[0] as ErrnoName | undefined;
}
