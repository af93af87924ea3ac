import { verifyOut } from '../pipeline/verify.js';
import { printable } from '../printable.js';
import { type Context, printJson } from './context.js';

export interface VerifyArguments {
  readonly out: string;
  readonly original?: string | undefined;
  readonly systemMap?: string | undefined;
  readonly modules?: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

export async function verify(args: VerifyArguments, context: Context): Promise<void> {
  const verified = await verifyOut(args.out, args);
  if (args.json) await printJson(context, verified);
  else if (!args.quiet)
    await context.print(
      `${printable(`${args.out} is a whole split of ${verified.original}`)}:\n${verified.proved.map(line => `  ${printable(line)}\n`).join('')}`,
    );
}
