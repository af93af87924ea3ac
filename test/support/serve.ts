import { RebasingService } from '../../plugin/kbuild/service.js';

/** Is the service of an object tree: prints its folder, or nothing where there is none, and ends with its input. */
const service = await RebasingService.open(process.argv[2]);
process.stdout.write(`${service?.folder ?? ''}\n`);
process.stdin.resume().once('end', () => service?.end());
