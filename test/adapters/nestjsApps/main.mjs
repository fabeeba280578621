// The application as ESM. Its argument is the adapter.
import 'reflect-metadata';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as premier from 'premier';
import * as nestjs from 'premier/nestjs';
import { ask } from './app.cjs';

const [name] = process.argv.slice(2);
const { [name === 'express' ? 'ExpressAdapter' : 'FastifyAdapter']: Adapter } = await import(`@nestjs/platform-${name}`);
await ask({ common, core, adapter: new Adapter(), nestjs, premier });
