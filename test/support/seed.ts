import fc from 'fast-check';

/**
 * Loaded by AVA before each test file: property tests try the same inputs on every run, so that what fails here fails
 * everywhere. `VMLINUX_BTF_TEST_SEED` takes another seed, or `random`; a failure prints the seed.
 */
const seed = process.env.VMLINUX_BTF_TEST_SEED ?? '20261122';

fc.configureGlobal(seed === 'random' ? {} : { seed: Number(seed) });
