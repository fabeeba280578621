import express from 'express';

const app = express();
