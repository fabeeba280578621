// The application as CommonJS. Its argument is the adapter.
'use strict';
require('reflect-metadata');
const { ask } = require('./app.cjs');
const [name] = process.argv.slice(2);
const { [name === 'express' ? 'ExpressAdapter' : 'FastifyAdapter']: Adapter } = require(`@nestjs/platform-${name}`);

void ask({
  common: require('@nestjs/common'),
  core: require('@nestjs/core'),
  adapter: new Adapter(),
  nestjs: require('premier/nestjs'),
  premier: require('premier'),
});
