// `premier` as a process of its own: what is compiled beside the tests, without a build.
import '../../src/cli/main.js';
